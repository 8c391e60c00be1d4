"""Check a unit's path on the caller's machine: replay its events, compare them with what the server shows.

What is not here: the calls that fetch a path (client), and how a report is printed (cli).
"""
