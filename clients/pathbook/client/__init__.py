"""The Python client: every call of the contract as a method, with plain values, deadlines and safe retries.

What is not here: the server, the rules of a book, and anything that checks an answer instead of believing it.
"""

from typing import TYPE_CHECKING

from pathbook.client.bulk import Entry
from pathbook.client.client import Client
from pathbook.client.decoding import DecodedEvent, decode, decode_batch, parse_event
from pathbook.client.errors import RefusedError, UnreachableError
from pathbook.client.filters import insight_filter
from pathbook.client.options import Signer
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
    from pathbook.client.key_requests import endorse_key, request_key
    from pathbook.client.party_keys import (
        PartyKey,
        read_key_file,
        read_public_part,
        write_key_file,
    )
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
    "PartyKey",
    "PartyKind",
    "Price",
    "Quantity",
    "Range",
    "RefusalReason",
    "RefusedError",
    "Registration",
    "RungKind",
    "Signer",
    "StepKind",
    "TransferKind",
    "TransferSide",
    "TransferStatus",
    "UnitState",
    "UnreachableError",
    "decode",
    "decode_batch",
    "endorse_key",
    "insight_filter",
    "parse_event",
    "price",
    "read_key_file",
    "read_public_part",
    "request_key",
    "select",
    "timestamp",
    "write_key_file",
]

__version__: str
"""The version of the distribution `pathbook`, which has no package of its own to say it."""

if not TYPE_CHECKING:  # or every misspelt name would be a text to a type checker
    LATE = {
        "AsyncClient": "pathbook.client.aio",
        "NewerEventError": "pathbook.ledger.codec",
        "PartyKey": "pathbook.client.party_keys",
        "RungKind": "pathbook.ledger.reports.ladder",
        "StepKind": "pathbook.ledger.steps",
        "endorse_key": "pathbook.client.key_requests",
        "read_key_file": "pathbook.client.party_keys",
        "read_public_part": "pathbook.client.party_keys",
        "request_key": "pathbook.client.key_requests",
        "write_key_file": "pathbook.client.party_keys",
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
