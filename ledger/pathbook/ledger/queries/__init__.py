"""The read door: what a book answers, from its views and, for paths, from its events.

What is not here: deciding and writing (book), the statements of the views (store), and messages (services).
"""

from pathbook.ledger.queries.answers import (
    Authorization,
    Batch,
    Case,
    Head,
    Party,
    Path,
    Product,
    Recall,
    Rung,
    RungKind,
    Step,
    StepKind,
    StockLine,
    Transfer,
    UnitRun,
)
from pathbook.ledger.queries.door import Queries

__all__ = [
    "Authorization",
    "Batch",
    "Case",
    "Head",
    "Party",
    "Path",
    "Product",
    "Queries",
    "Recall",
    "Rung",
    "RungKind",
    "Step",
    "StepKind",
    "StockLine",
    "Transfer",
    "UnitRun",
]
