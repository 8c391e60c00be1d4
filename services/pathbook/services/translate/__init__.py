"""Conversion between protobuf messages and the ledger's types: requests, answers, receipts, statuses, pages, values.

What is not here: calls, waiting and databases. Each function takes a message or a value and returns the other.
"""
