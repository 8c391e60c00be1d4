"""Plain Python values as messages: prices, times, dates, selections of units."""

import datetime
from collections.abc import Iterable
from typing import TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.v1 import paths_pb2, proofs_pb2, values_pb2

Price: TypeAlias = tuple[int, str] | tuple[int, str, int]
"""An amount in minor units (cents, fen), its ISO 4217 currency, and how many units the amount is for (1 if left out).

(15000, "CNY") is 150.00 yuan a unit. (125, "CNY", 100) is 1.25 yuan for 100 units, which is 0.0125 yuan a unit.
"""

Range: TypeAlias = tuple[int, int, int]
"""Number of a batch, first unit, last unit, both included: (1, 0, 9) is the first ten units of batch 1."""

Quantity: TypeAlias = tuple[int, int | str]
"""How many units, and of what: the number of a batch (10, 1), or the GTIN of a product (10, "4006381333931")."""


def name_unit(
    request: paths_pb2.GetPathRequest | proofs_pb2.GetUnitProofRequest, unit: str | tuple[int, int]
) -> None:
    """Put a printed code, or the numbers of a batch and a unit, into a request about the unit."""
    if isinstance(unit, str):
        request.code = unit
    else:
        request.unit.batch, request.unit.number = unit


def price(stated: Price | None) -> values_pb2.Price | None:
    """Return the message for a price, for requests that you build yourself (see ``record_transfers``).

    Args:
        stated: Minor units and an ISO 4217 currency, such as (15000, "CNY"), and how many units they are for if that
            is not 1, such as (125, "CNY", 100). None means no price.

    Returns:
        A Price with ``amount_minor``, ``currency_code`` and ``per_units``, or None for None.

    Raises:
        ValueError: A number has more than 64 bits.

    Example:
        >>> entry = transfers_pb2.SellUnitsRequest(unit_price=price((15000, "CNY")))
        >>> entry.unit_price.amount_minor
        15000
    """
    if stated is None:
        return None
    amount_minor, currency_code, per_units = stated if len(stated) == 3 else (*stated, 1)  # noqa: PLR2004 - a count
    return values_pb2.Price(amount_minor=amount_minor, currency_code=currency_code, per_units=per_units)


def timestamp(moment: datetime.datetime | None) -> Timestamp | None:
    """Return the message for a time, for requests that you build yourself (see ``record_transfers``).

    Args:
        moment: A timezone-aware datetime. None means that the field stays unset.

    Returns:
        A Timestamp with ``seconds`` since 1970 UTC and ``nanos``, or None for None.

    Raises:
        ValueError: The datetime has no time zone.

    Example:
        >>> monday = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
        >>> transfers_pb2.SellUnitsRequest(occurred_at=timestamp(monday)).occurred_at.seconds
        1767571200
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone: add one, such as datetime.UTC")
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def iso_date(date: datetime.date | None) -> str:
    """Return a date as YYYY-MM-DD, or "" for None."""
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
    """Return a selection of units, for the ``units`` argument of a write.

    The four ways to name units may be mixed, but no unit may be named twice. One request names 1 to 4,000
    ranges, codes, cases and quantities in all, and at most 100 quantities. The call that receives the selection
    may refuse it for NO_UNITS, TOO_MANY_RANGES, RANGES_OVERLAP; BATCH_UNKNOWN, RANGE_REVERSED,
    RANGE_BEYOND_BATCH; CODE_MALFORMED, CODE_CHECK_CHARACTER, CODE_GTIN_CHECK_DIGIT, CODE_OTHER_BOOK,
    CODE_UNKNOWN, CODE_CONTRADICTS, CODE_KEY_RETIRED, CODE_KEY_MISSING; CASE_UNKNOWN, CASE_IN_CASE, CASE_EMPTY;
    QUANTITY_NOT_POSITIVE, GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN, STOCK_TOO_SMALL; TOO_MUCH_WORK.

    Args:
        ranges: Ranges of units, each (batch, first unit, last unit) with both ends included.
        codes: Printed codes: GS1 Digital Links, element strings such as "(01)...(21)...", or bare serials.
        cases: SSCCs, 18 digits each, of packed cases. All units in the case are meant.
        quantities: Counts, each (how many, batch number) or (how many, GTIN of 8, 12, 13 or 14 digits). The server
            takes free units that are not in a case: those that expire first, then of the batch made first.

    Returns:
        A Selection to pass on. Nothing is looked up yet.

    Raises:
        ValueError: A range has not three numbers, a quantity not two, or a number has more than 64 bits.

    Example:
        >>> units = select(ranges=[(1, 0, 9)], quantities=[(5, "4006381333931")])
        >>> units.ranges[0].last
        9
    """
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
