"""The views: rows that are made from events, their tracking position, the follower that writes them, and lookups.

What is not here: what an event means for a row (projections), and how questions are answered (queries).
"""
