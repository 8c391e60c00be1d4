"""The log, which must be kept: events by book and position, and the fingerprint of the key that codes are made with.

What is not here: anything that can be rebuilt from the events (views).
"""
