"""The server: gRPC calls translated into what is asked of the book, and its answers translated back.

What is not here: what may happen to units (ledger), who a caller is (nobody is asked yet), and any client.
"""
