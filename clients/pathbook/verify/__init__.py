"""Verification of a unit's path on the caller's machine. Its events are replayed and compared with the server's claims.

What is not here: the calls that fetch a path (client), and how a report is printed (cli).
"""
