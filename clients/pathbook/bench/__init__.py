"""Measuring a machine and a store as their users will meet them: a load, what it came to, and whether it is right.

What is not here: the books themselves (a server of its own process is called over gRPC), the databases' floors and
whatever else has to be measured inside the store (given as `Inside`), and any drawing (cli).
"""
