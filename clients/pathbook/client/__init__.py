"""The Python client: every call of the contract as a method, with plain values, deadlines and safe retries.

What is not here: the server, the rules of a book, and anything that checks an answer instead of believing it.
"""

from typing import TYPE_CHECKING

from pathbook.client.bulk import Entry
from pathbook.client.client import Client
from pathbook.client.decoding import DecodedEvent, decode, decode_batch, parse_event
from pathbook.client.errors import RefusedError, UnreachableError
from pathbook.client.reasons import FailureReason, RefusalReason
from pathbook.client.registrations import Registration
from pathbook.client.values import Price, Quantity, Range, price, select, timestamp
from pathbook.ledger.values import (
    Attestation,
    AuthorizationStatus,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    TransferKind,
    TransferSide,
    TransferStatus,
    UnitState,
)

if TYPE_CHECKING:
    from pathbook.client.aio import AsyncClient
    from pathbook.ledger.codec import NewerEventError
    from pathbook.ledger.reports.ladder import RungKind
    from pathbook.ledger.steps import StepKind

__all__ = [
    "AsyncClient",
    "Attestation",
    "AuthorizationStatus",
    "Client",
    "DecodedEvent",
    "Delivery",
    "DiscrepancyKind",
    "Entry",
    "FailureReason",
    "NewerEventError",
    "PartyKind",
    "Price",
    "Quantity",
    "Range",
    "RefusalReason",
    "RefusedError",
    "Registration",
    "RungKind",
    "StepKind",
    "TransferKind",
    "TransferSide",
    "TransferStatus",
    "UnitState",
    "UnreachableError",
    "decode",
    "decode_batch",
    "parse_event",
    "price",
    "select",
    "timestamp",
]

__version__: str
"""The version of the distribution `pathbook`, which has no package of its own to say it."""

if not TYPE_CHECKING:  # or every misspelt name would be a text to a type checker
    LATE = {
        "AsyncClient": "pathbook.client.aio",
        "NewerEventError": "pathbook.ledger.codec",
        "RungKind": "pathbook.ledger.reports.ladder",
        "StepKind": "pathbook.ledger.steps",
    }

    def __getattr__(name: str) -> object:
        """Load what not every caller needs when it is asked for: together it takes longer than the client."""
        import importlib
        from importlib import metadata

        if name == "__version__":
            return metadata.version("pathbook")
        if name not in LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(LATE[name]), name)
