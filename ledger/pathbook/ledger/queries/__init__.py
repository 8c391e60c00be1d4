"""The read API of books. It answers from the views, and for paths also from the events.

What is not here: deciding and writing (book), the statements on the views (store), and messages (services).
"""

from pathbook.ledger.queries.answers import (
    Batch,
    Case,
    Correction,
    Head,
    Holder,
    Listed,
    OpenedBook,
    Party,
    Path,
    Recall,
    Reported,
    RequestedEvent,
    Stock,
    Transfer,
    UnitRun,
)
from pathbook.ledger.queries.read_api import Queries
from pathbook.ledger.queries.transfer_lists import OfferFilter, TransferFilter
from pathbook.ledger.reports.ladder import Rung, RungKind
from pathbook.ledger.steps import Step, StepKind

__all__ = [
    "Batch",
    "Case",
    "Correction",
    "Head",
    "Holder",
    "Listed",
    "OfferFilter",
    "OpenedBook",
    "Party",
    "Path",
    "Queries",
    "Recall",
    "Reported",
    "RequestedEvent",
    "Rung",
    "RungKind",
    "Step",
    "StepKind",
    "Stock",
    "Transfer",
    "TransferFilter",
    "UnitRun",
]
