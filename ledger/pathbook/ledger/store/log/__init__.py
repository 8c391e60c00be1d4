"""The log, which must be kept. It holds the events by book and position, the texts of their notes, the
fingerprint of the codes' key, and the checkpoints that were signed.

What is not here: anything that can be rebuilt from the events (views).
"""
