"""The log, which must be kept. It holds the events by book and position, the texts of their notes, and the
fingerprint of the codes' key.

What is not here: anything that can be rebuilt from the events (views).
"""
