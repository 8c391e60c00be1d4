"""What a bench needs from a database: its speed without Pathbook, and a scratch database to measure in.

What is not here: the load and the report (the client's bench).
"""
