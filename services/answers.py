"""What the book answers, as messages: receipts, units, money, times."""

from collections.abc import Iterable
from typing import assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.book import Answer, Outcome
from ledger.events import (
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
from ledger.values import Ranges, UnitRange
from pathbook.v1 import transfers_pb2, values_pb2
from pathbook.v1.refusals_pb2 import RefusalReason

MICROSECONDS = 1_000_000
"""Of a second."""


def timestamp(microseconds: int) -> Timestamp:
    """Return the message for a time since 1970 UTC."""
    seconds, rest = divmod(microseconds, MICROSECONDS)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def timestamp_or_none(microseconds: int | None) -> Timestamp | None:
    """Return the message for a time, or None, which leaves a field unset."""
    return None if microseconds is None else timestamp(microseconds)


def money(amount_minor: int, currency_code: str) -> values_pb2.Money:
    """Return the message for an amount."""
    return values_pb2.Money(amount_minor=amount_minor, currency_code=currency_code)


def unit_ranges(ranges: Iterable[UnitRange]) -> list[values_pb2.UnitRange]:
    """Return the messages for ranges of units."""
    return [values_pb2.UnitRange(batch=item.batch, first=item.first, last=item.last) for item in ranges]


def receipt(answer: Answer) -> values_pb2.Receipt:
    """Return the receipt for a write."""
    recorded = answer.recorded
    return values_pb2.Receipt(
        position=recorded.position,
        recorded_at=timestamp(recorded.recorded_at),
        duplicate=answer.duplicate,
    )


def chosen(answer: Answer) -> list[values_pb2.UnitRange]:
    """Return the units that a write was about, as the book chose them."""
    return unit_ranges(_ranges(answer.recorded.event))


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
            UnitsDelivered(ranges=ranges) | PurchaseConfirmed(ranges=ranges) | UnitsWrittenOff(ranges=ranges)
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
