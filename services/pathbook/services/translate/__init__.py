"""Between the contract's messages and the ledger's words: requests, answers, receipts, statuses, pages, values.

What is not here: calls, waiting and databases. Each function takes a message or a value and returns the other.
"""
