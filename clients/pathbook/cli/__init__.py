"""The command line: each verb asks the server over gRPC, as any other client does, and prints the answer.

What is not here: what may happen to units (ledger), checking a path (pathbook.verify), and any way to the books
but a server; for ``--data`` one runs inside the process (local).
"""
