"""The read door: what a book answers, from its views and, for paths, from its events.

What is not here: deciding and writing (book), the statements of the views (store), and messages (services).
"""

from pathbook.ledger.queries.answers import (
    Batch,
    Case,
    Head,
    Party,
    Path,
    Transfer,
    UnitRun,
)
from pathbook.ledger.queries.read_api import Queries
from pathbook.ledger.reports.ladder import Rung, RungKind
from pathbook.ledger.steps import Step, StepKind

__all__ = [
    "Batch",
    "Case",
    "Head",
    "Party",
    "Path",
    "Queries",
    "Rung",
    "RungKind",
    "Step",
    "StepKind",
    "Transfer",
    "UnitRun",
]
