"""The Merkle tree over the log of each book: its nodes above the events, from which roots and proofs take few reads.

What is not here: what a tree is and what proofs are (``pathbook.ledger.proofs``), and the signed checkpoints, which
must be kept (``pathbook.ledger.store.log.checkpoints``). All nodes follow from the events, and may be dropped.
"""
