"""What messages say, in the ledger's words: the one place where the shape of a request is checked.

Each function raises RefusedCallError, with the field's name, for what cannot be read. Ids, lots, prices, ranges and
the like are read as they are: the rules judge them.
"""

import datetime
import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.values import (
    MAX_RANGES,
    Delivery,
    Money,
    Quantity,
    Ranges,
    Selection,
    UnitRange,
    gtin14,
    is_identifier,
)
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed
from pathbook.v1 import values_pb2

LAST_SECOND: Final = 253_402_300_799
"""The last second of the year 9999, the last that a google.protobuf.Timestamp may name."""

NANOSECONDS: Final = 10**9

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Word = TypeVar("Word", bound=IntEnum)


def book_name(book: str) -> str:
    """Return the name of a book."""
    if not is_identifier(book):
        raise RefusedCallError(refuse(Reason.BOOK_MALFORMED, book=book))
    return book


def position(number: int, field: str) -> int:
    """Return a position, or 0 for none."""
    if number < 0:
        raise failed(Failure.POSITION_NEGATIVE, field=field, position=number)
    return number


def within(book: str, number: int, head: int) -> int:
    """Return a position that a book must have reached."""
    if number > head:
        raise failed(Failure.POSITION_BEYOND_HEAD, book=book, position=number, head=head)
    return number


def gtin(text: str) -> str:
    """Return a GTIN that must be named, as 14 digits."""
    if not text:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="gtin"))
    digits = gtin14(text)
    if digits is None:
        raise RefusedCallError(refuse(Reason.GTIN_CHECK_DIGIT, gtin=text))
    return digits


def time_or_none(request: Message, field: str) -> int | None:
    """Return the microseconds since 1970 UTC that a field names, or None where it is unset.

    The first of them is refused, too: it is what callers send who set the field and forget the time.
    """
    if not request.HasField(field):
        return None
    stamp: Timestamp = getattr(request, field)
    microseconds = stamp.seconds * 1_000_000 + stamp.nanos // 1_000
    if not (0 <= stamp.nanos < NANOSECONDS and 0 <= stamp.seconds <= LAST_SECOND and microseconds):
        raise RefusedCallError(refuse(Reason.TIME_MALFORMED, field=field))
    return microseconds


def time_or_now(request: Message, field: str = "occurred_at") -> int:
    """Return the microseconds since 1970 UTC that a field names, or 0 for when it is recorded."""
    return time_or_none(request, field) or 0


def date(day: str, field: str) -> datetime.date:
    """Return a date that must be named."""
    if not day:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field=field))
    try:
        if _DATE.fullmatch(day):
            return datetime.date.fromisoformat(day)
    except ValueError:
        pass
    raise RefusedCallError(refuse(Reason.DATE_MALFORMED, field=field, text=day))


def date_or_none(day: str, field: str) -> datetime.date | None:
    """Return a date, or None for an empty one."""
    return date(day, field) if day else None


def money(request: Message, field: str) -> Money:
    """Return a price that must be named; zero is one."""
    price = money_or_none(request, field)
    if price is None:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field=field))
    return price


def money_or_none(request: Message, field: str) -> Money | None:
    """Return a price, or None where it is unset."""
    if not request.HasField(field):
        return None
    price: values_pb2.Money = getattr(request, field)
    return Money(price.amount_minor, price.currency_code)


def enum_value(number: int, words: type[Word], field: str) -> Word:
    """Return the member of an enumeration that must be named."""
    found = enum_value_or_none(number, words, field)
    if found is None:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field=field))
    return found


def enum_value_or_none(number: int, words: type[Word], field: str) -> Word | None:
    """Return the member of an enumeration, or None where it is not said; an unknown number says nothing."""
    try:
        return words(number) if number else None
    except ValueError:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field=field)) from None


def delivery(number: int) -> Delivery:
    """Return whether goods move with the title; they do where it is not said."""
    return enum_value_or_none(number, Delivery, "delivery") or Delivery.WITH_TITLE


def ranges(messages: Sequence[values_pb2.UnitRange]) -> Ranges:
    """Return ranges of units as named."""
    # a list of them: going over the messages themselves takes half as long again
    return tuple([UnitRange(item.batch, item.first, item.last) for item in messages[:]])


def unit_range(request: Message, field: str) -> UnitRange:
    """Return a range of units that must be named."""
    if not request.HasField(field):
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field=field))
    (units,) = ranges([getattr(request, field)])
    return units


def selection(message: values_pb2.Selection, coded: Ranges) -> Selection:
    """Return which units a message names, with ranges in place of its codes."""
    cases, quantities = message.cases, message.quantities
    return Selection(
        ranges(message.ranges) + coded,
        tuple(cases) if cases else (),
        tuple([Quantity(item.count, item.batch, item.gtin) for item in quantities]) if quantities else (),
    )


def selected(request: Message, field: str = "units") -> values_pb2.Selection:
    """Return the selection of units that must be named, unless it is longer than one request may be."""
    units = selected_of_many(request, field)
    bounded(named_in(units))
    return units


def selected_of_many(request: Message, field: str = "units") -> values_pb2.Selection:
    """Return the selection of units that must be named, by one of many requests that are bounded together."""
    if not request.HasField(field):
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field=field))
    units: values_pb2.Selection = getattr(request, field)
    return units


def named_in(message: values_pb2.Selection) -> int:
    """Return how many ranges, codes, cases and quantities a message names: they are what deciding it costs."""
    return len(message.ranges) + len(message.codes) + len(message.cases) + len(message.quantities)


def bounded(count: int) -> None:
    """Refuse more ranges, codes, cases and quantities than one request may name, before any is looked at."""
    if count > MAX_RANGES:
        raise RefusedCallError(refuse(Reason.TOO_MANY_RANGES, count=count, limit=MAX_RANGES))
