"""The server: it translates gRPC calls to commands and queries of the book, and the answers back to messages.

What is not here: the rules of a book (ledger), the identity of a caller (it is not checked yet), and any client.
"""
