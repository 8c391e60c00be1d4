"""Plain values as the messages a call carries: prices, times, dates, selections of units."""

import datetime
from collections.abc import Iterable
from typing import TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.v1 import values_pb2

Price: TypeAlias = tuple[int, str]
"""An amount in minor units (cents, fen), and its ISO 4217 currency: (15000, "CNY")."""

Range: TypeAlias = tuple[int, int, int]
"""Batch, first unit, last unit; both are meant."""

Quantity: TypeAlias = tuple[int, int | str]
"""How many units, and of what: the number of a batch, or the GTIN of a product."""


def money(price: Price | None) -> values_pb2.Money | None:
    """Return the message for a price."""
    return price and values_pb2.Money(amount_minor=price[0], currency_code=price[1])


def timestamp(moment: datetime.datetime | None) -> Timestamp | None:
    """Return the message for a time. Raises ValueError for one without a time zone."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone: add one, such as datetime.UTC")
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def day(date: datetime.date | None) -> str:
    """Return a date as YYYY-MM-DD, empty for none."""
    return "" if date is None else date.isoformat()


def unit_ranges(ranges: Iterable[Range]) -> list[values_pb2.UnitRange]:
    """Return the messages for ranges of units."""
    return [values_pb2.UnitRange(batch=batch, first=first, last=last) for batch, first, last in ranges]


def select(
    *,
    ranges: Iterable[Range] = (),
    codes: Iterable[str] = (),
    cases: Iterable[str] = (),
    quantities: Iterable[Quantity] = (),
) -> values_pb2.Selection:
    """Return a selection of units, named in any mixture of ways; a case (by SSCC) means all that is in it."""
    return values_pb2.Selection(
        ranges=unit_ranges(ranges),
        codes=codes,
        cases=cases,
        quantities=[
            values_pb2.Quantity(count=count, gtin=of)
            if isinstance(of, str)
            else values_pb2.Quantity(count=count, batch=of)
            for count, of in quantities
        ],
    )
