"""Storage, the only room with a database. It keeps the log, and the views that can be rebuilt from the log.

What is not here: deciding (rules), what an event means for a view (projections), an event's bytes (codec).
"""
