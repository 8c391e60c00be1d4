"""Remembering: the only room with a database. The log that must be kept, and the views that can be rebuilt.

What is not here: deciding (rules), what an event means for a view (projections), and the bytes of an event (codec).
"""
