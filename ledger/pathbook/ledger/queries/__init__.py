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
    RequestedEvent,
    Stock,
    Transfer,
    UnitRun,
)
from pathbook.ledger.queries.read_api import Queries
from pathbook.ledger.queries.report_parts import Asked, Insight
from pathbook.ledger.queries.transfer_lists import OfferFilter, SeenBy, TransferFilter
from pathbook.ledger.reports.ladder import Rung, RungKind
from pathbook.ledger.steps import Step, StepKind

__all__ = [
    "Asked",
    "Batch",
    "Case",
    "Correction",
    "Head",
    "Holder",
    "Insight",
    "Listed",
    "OfferFilter",
    "OpenedBook",
    "Party",
    "Path",
    "Queries",
    "Recall",
    "RequestedEvent",
    "Rung",
    "RungKind",
    "SeenBy",
    "Step",
    "StepKind",
    "Stock",
    "Transfer",
    "TransferFilter",
    "UnitRun",
]
