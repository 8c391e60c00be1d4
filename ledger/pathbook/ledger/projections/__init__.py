"""Projections: pure functions from an event and its changes of runs to rows of the views.

A projection looks nothing up, because events are complete. It does not read the rows of another projection.

What is not here: databases and files, clocks, and how rows are written or read (store, queries).
"""
