"""One interface to SQLite and PostgreSQL: engines, bulk writes, fast reads, notifications and planner statistics.

What is not here: which tables there are and what is in them (log, views).
"""
