"""The command line: each verb calls the server over gRPC, as any other client does, and prints the answer.

What is not here: what may happen to units (ledger), and checking a path (pathbook.verify). A verb reaches books
only through a server. For ``--data``, one runs inside the process (local).
"""
