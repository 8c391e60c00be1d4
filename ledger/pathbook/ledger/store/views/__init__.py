"""The views: rows that are made from events, their tracking position, the follower that writes them, and look-ups.

What is not here: what an event means for a row (projections), and what a caller is answered (queries).
"""
