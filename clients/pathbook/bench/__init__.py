"""The bench: it puts load on a server as users do, measures what the load takes, and checks all results.

What is not here: the books (they are in a server process, called over gRPC), measurements inside the store such as
the floors of the database (they are given as `Inside`), and printing (cli).
"""
