"""Messages for the simplest values of the ledger: times, prices, ranges of units."""

from collections.abc import Iterable
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.values import Price, UnitRange
from pathbook.v1 import values_pb2

MICROSECONDS_PER_SECOND: Final = 1_000_000


def timestamp(microseconds: int) -> Timestamp:
    """Return the message for a time in microseconds since 1970 UTC."""
    seconds, rest = divmod(microseconds, MICROSECONDS_PER_SECOND)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def timestamp_or_none(microseconds: int | None) -> Timestamp | None:
    """Return the message for a time, or None for None. A field that is given None stays unset."""
    return None if microseconds is None else timestamp(microseconds)


def price(found: Price) -> values_pb2.Price:
    """Return the message for a price. It states the number of units, also if it is 1."""
    return values_pb2.Price(
        amount_minor=found.amount_minor, currency_code=found.currency_code, per_units=found.per_units
    )


def unit_ranges(ranges: Iterable[UnitRange]) -> list[values_pb2.UnitRange]:
    """Return the messages for ranges of units."""
    return [values_pb2.UnitRange(batch=item.batch, first=item.first, last=item.last) for item in ranges]
