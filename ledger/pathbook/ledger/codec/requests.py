"""Values of the ledger from the fields of requests: the one place where the shape of a request is checked.

Each function raises RefusedRequestError, with the field's name, if it cannot read the field. Ids, lots, prices, ranges
and the like are passed on unchecked: the rules decide about them.
"""

import datetime
import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.codec.fields import LATEST_TIME
from pathbook.ledger.refusals import Reason, RefusedRequestError, refuse
from pathbook.ledger.values import MAX_RANGES, Delivery, Price, Quantity, Ranges, Selection, UnitRange
from pathbook.v1 import values_pb2

_SECOND: Final = 1_000_000  # microseconds

LAST_SECOND: Final = LATEST_TIME // _SECOND
"""The last second of the year 9999, the last that a google.protobuf.Timestamp can hold."""

NANOSECONDS_PER_SECOND: Final = 10**9

_WITH_TITLE: Final = Delivery.WITH_TITLE

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Member = TypeVar("Member", bound=IntEnum)


def time_or_none(request: Message, field: str) -> int | None:
    """Return the time in a field, in microseconds since 1970 UTC, or None if the field is unset.

    Time 0 is refused too: a caller that sets the field and forgets the time sends 0.
    """
    if not request.HasField(field):
        return None
    stamp: Timestamp = getattr(request, field)
    microseconds = stamp.seconds * _SECOND + stamp.nanos // 1_000
    is_timestamp = 0 <= stamp.nanos < NANOSECONDS_PER_SECOND and 0 <= stamp.seconds <= LAST_SECOND
    if not (is_timestamp and microseconds):
        raise RefusedRequestError(refuse(Reason.TIME_MALFORMED, field=field))
    return microseconds


def time_or_now(request: Message, field: str = "occurred_at") -> int:
    """Return the time in a field, in microseconds since 1970 UTC. 0 stands for the time of recording."""
    return time_or_none(request, field) or 0


def date(day: str, field: str) -> datetime.date:
    """Return a required date."""
    if not day:
        raise RefusedRequestError(refuse(Reason.VALUE_MISSING, field=field))
    try:
        if _DATE.fullmatch(day):
            return datetime.date.fromisoformat(day)
    except ValueError:
        pass
    raise RefusedRequestError(refuse(Reason.DATE_MALFORMED, field=field, text=day))


def date_or_none(day: str, field: str) -> datetime.date | None:
    """Return a date, or None for an empty one."""
    return date(day, field) if day else None


def price(request: Message, field: str) -> Price:
    """Return a required price, which may be zero."""
    found = price_or_none(request, field)
    if found is None:
        raise RefusedRequestError(refuse(Reason.VALUE_MISSING, field=field))
    return found


def price_or_none(request: Message, field: str) -> Price | None:
    """Return a price, or None if the field is unset. For 0 units means for 1."""
    if not request.HasField(field):
        return None
    message: values_pb2.Price = getattr(request, field)
    return Price(message.amount_minor, message.currency_code, message.per_units or 1)


def enum_value(number: int, members: type[Member], field: str) -> Member:
    """Return the member of an enumeration, which is required."""
    found = enum_value_or_none(number, members, field)
    if found is None:
        raise RefusedRequestError(refuse(Reason.VALUE_MISSING, field=field))
    return found


def enum_value_or_none(number: int, members: type[Member], field: str) -> Member | None:
    """Return the member of an enumeration, or None for 0. An unknown number is refused as a missing value."""
    try:
        return members(number) if number else None
    except ValueError:
        raise RefusedRequestError(refuse(Reason.VALUE_MISSING, field=field)) from None


def delivery(number: int) -> Delivery:
    """Return whether goods move with the title, which is the default."""
    if number == _WITH_TITLE:  # nearly all transfers are, and the lookup of a member takes as long as a price
        return _WITH_TITLE
    return enum_value_or_none(number, Delivery, "delivery") or _WITH_TITLE


def ranges(messages: Sequence[values_pb2.UnitRange]) -> Ranges:
    """Return ranges of units, unchecked."""
    # the slice copies them to a list: to iterate over the messages themselves takes half as long again
    return tuple([UnitRange(item.batch, item.first, item.last) for item in messages[:]])


def ranges_alone(message: values_pb2.Selection) -> Sequence[values_pb2.UnitRange] | None:
    """Return the ranges in a selection that has nothing else, as most have, or None if it has.

    To look at a repeated field that is not set takes as long as to read a range, and a selection has three of them.
    """
    found = message.ListFields()
    if len(found) != 1 or found[0][0].number != values_pb2.Selection.RANGES_FIELD_NUMBER:
        return None
    alone: Sequence[values_pb2.UnitRange] = found[0][1]
    return alone


def selection(message: values_pb2.Selection, coded: Ranges) -> Selection:
    """Return the selection in a message, with the given ranges in place of its codes."""
    cases, quantities = message.cases, message.quantities
    return Selection(
        ranges(message.ranges) + coded,
        tuple(cases) if cases else (),
        tuple([Quantity(item.count, item.batch, item.gtin) for item in quantities]) if quantities else (),
    )


def selected(request: Message, field: str = "units") -> values_pb2.Selection:
    """Return a required selection of units; refuse one that names more than one request may."""
    units = selected_of_many(request, field)
    bounded(named_in(units))
    return units


def selected_of_many(request: Message, field: str = "units") -> values_pb2.Selection:
    """Return a required selection of units, of any length. Requests of one batch have a limit in common."""
    if not request.HasField(field):
        raise RefusedRequestError(refuse(Reason.VALUE_MISSING, field=field))
    units: values_pb2.Selection = getattr(request, field)
    return units


def named_in(message: values_pb2.Selection) -> int:
    """Return how many ranges, codes, cases and quantities a message names. The cost of deciding grows with them."""
    return len(message.ranges) + len(message.codes) + len(message.cases) + len(message.quantities)


def bounded(count: int) -> None:
    """Refuse more ranges, codes, cases and quantities than one request may name, before any of them is read."""
    if count > MAX_RANGES:
        raise RefusedRequestError(refuse(Reason.TOO_MANY_RANGES, count=count, limit=MAX_RANGES))
