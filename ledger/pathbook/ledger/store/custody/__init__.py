"""Custody: the heads and the trees of all books as of their last seal, which may be dropped and are rebuilt.

What is not here: the views, which are further than the last seal, and the thread that seals.
"""
