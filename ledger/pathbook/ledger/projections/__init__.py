"""Rebuild: one event in, and what the runs became by it; rows out. Nothing is looked up, for events say everything.

What is not here: databases and files, clocks, and how rows are written or read (store, queries). No projection
reads another's rows.
"""
