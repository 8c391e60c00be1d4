"""Backups: a directory with a copy of the log and of the keys, and a manifest that says what was read back from it.

A backup is taken while servers run, and is read back before it counts. A restore begins another incarnation of each
book.

What is not here: reading and writing databases (``pathbook.ledger.store.log``), what is printed (the command line), and
the health of books where they are (``pathbook.services.checking``).
"""
