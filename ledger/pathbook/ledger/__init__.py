"""The book: what may happen (rules), what follows from it (projections), and how it is stored (store).

What is not here: gRPC and its messages (services, clients), clocks, randomness, settings and keys on disk.
"""

from pathbook.ledger.compiled import require_unchanged

require_unchanged()
