"""SQLite and PostgreSQL behind one set of calls: engines, bulk writes, fast reads, notices, planner statistics.

What is not here: which tables there are and what is in them (log, views).
"""
