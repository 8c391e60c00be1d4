"""What becomes of writes, as messages: receipts, the units the book chose, refusals."""

from typing import assert_never

from ledger.book import Answer, Outcome
from ledger.events import (
    CasePacked,
    Event,
    PurchaseConfirmed,
    TransferAccepted,
    TransferOffered,
    TransferRecorded,
    UnitsDelivered,
    UnitsReturned,
    UnitsSold,
    UnitsWrittenOff,
)
from ledger.refusals import Refusal
from ledger.values import Ranges
from pathbook.v1 import transfers_pb2, values_pb2
from pathbook.v1.refusals_pb2 import RefusalReason
from services import messages


def receipt(answer: Answer) -> values_pb2.Receipt:
    """Return the receipt for a write."""
    recorded = answer.recorded
    return values_pb2.Receipt(
        position=recorded.position,
        recorded_at=messages.timestamp(recorded.recorded_at),
        duplicate=answer.duplicate,
    )


def chosen(answer: Answer) -> list[values_pb2.UnitRange]:
    """Return the units that a write was about, as the book chose them."""
    return messages.unit_ranges(_ranges(answer.recorded.event))


def _ranges(event: Event) -> Ranges:
    match event:
        case (
            TransferOffered(terms=terms)
            | TransferAccepted(terms=terms)
            | TransferRecorded(terms=terms)
            | UnitsSold(terms=terms)
        ):
            return terms.ranges
        case (
            UnitsDelivered(ranges=ranges)
            | PurchaseConfirmed(ranges=ranges)
            | UnitsWrittenOff(ranges=ranges)
            | CasePacked(ranges=ranges)
        ):
            return ranges
        case UnitsReturned(lines=lines):
            return tuple(sorted(item for line in lines for item in line.terms.ranges))
        case _:
            raise AssertionError(event)


def result(outcome: Outcome) -> transfers_pb2.RecordTransfersResult:
    """Return what became of one write of a batch."""
    match outcome:
        case Answer():
            return transfers_pb2.RecordTransfersResult(receipt=receipt(outcome))
        case Refusal():
            return transfers_pb2.RecordTransfersResult(refusal=refused_entry(outcome))
        case _:
            assert_never(outcome)


def refused_entry(refusal: Refusal) -> transfers_pb2.RefusedEntry:
    """Return why one write of a batch was refused."""
    return transfers_pb2.RefusedEntry(
        reason=RefusalReason.ValueType(refusal.reason),
        message=str(refusal),
        metadata=dict(refusal.facts),
    )
