"""The fields that many kinds of events share, each written and read side by side.

A reader raises ValueError where a field is missing or out of place; whoever calls it knows the position.
"""

import datetime
import enum
from collections.abc import Callable, Sequence
from sys import intern
from typing import Final, Generic, NoReturn, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.events import Terms
from pathbook.ledger.values import AuthorizationStatus, Delivery, Money, Ranges, UnitRange
from pathbook.v1 import events_pb2, values_pb2

EARLIEST_TIME: Final = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in microseconds since 1970 UTC: the first time a Timestamp can say."""

LATEST_TIME: Final = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z in microseconds since 1970 UTC: the last time a Timestamp can say."""

_SECOND: Final = 1_000_000  # microseconds

_Enum = TypeVar("_Enum", bound=enum.IntEnum)


class Numbered(dict[int, _Enum], Generic[_Enum]):
    """The members of an enum by number: much faster than calling the enum, and as strict.

    An enum of the ledger and its twin in the contract have the same numbers; 0 is "not said" and no member.
    """

    def __init__(self, kind: type[_Enum]) -> None:
        """Take all members."""
        super().__init__((int(member), member) for member in kind)
        self._name = kind.__name__

    def __missing__(self, number: int) -> NoReturn:
        """Refuse a number that no member has."""
        raise ValueError(f"{self._name} has no number {number}")


# The contract's numbers, each at its own place: a plain number, though equal, is not of the contract's type.
_DELIVERY_NUMBERS: Final = values_pb2.Delivery.values()
_STANDING_NUMBERS: Final = values_pb2.AuthorizationStatus.values()
_DELIVERIES: Final = Numbered(Delivery)
_STANDINGS: Final = Numbered(AuthorizationStatus)


def write_terms(message: events_pb2.Terms, terms: Terms) -> None:
    """Write the terms of a transfer or sale."""
    message.giver = terms.giver
    message.receiver = terms.receiver
    write_ranges(message.ranges.add, terms.ranges)
    write_money(message.unit_price, terms.unit_price)
    message.delivery = _DELIVERY_NUMBERS[terms.delivery]
    if terms.giver_tier is not None:
        message.giver_tier = terms.giver_tier
    if terms.receiver_tier is not None:
        message.receiver_tier = terms.receiver_tier
    message.giver_authorization = _STANDING_NUMBERS[terms.giver_authorization]
    if terms.receiver_authorization is not None:
        message.receiver_authorization = _STANDING_NUMBERS[terms.receiver_authorization]


def read_terms(message: events_pb2.Terms) -> Terms:
    """Read terms. By position, as ranges and money: most of what a book holds is these three."""
    giver_tier, receiver_tier = message.giver_tier, message.receiver_tier
    receiver_authorization = message.receiver_authorization
    return Terms(
        intern(message.giver) or missing("giver"),
        intern(message.receiver) or missing("receiver"),
        read_ranges(message.ranges),
        read_money(message.unit_price),
        _DELIVERIES[message.delivery],
        giver_tier if giver_tier or message.HasField("giver_tier") else None,
        receiver_tier if receiver_tier or message.HasField("receiver_tier") else None,
        _STANDINGS[message.giver_authorization],
        _STANDINGS[receiver_authorization] if receiver_authorization else None,
    )


def write_ranges(add: Callable[[], values_pb2.UnitRange], ranges: Ranges) -> None:
    """Write ranges, each to a message that ``add`` adds."""
    for item in ranges:
        message = add()
        message.batch = item.batch
        message.first = item.first
        message.last = item.last


def read_ranges(messages: Sequence[values_pb2.UnitRange]) -> Ranges:
    """Read ranges: the first unit's number is not negative, the last one's not below it."""
    ranges = []
    for message in messages[:]:  # a list: going over the messages themselves takes twice as long
        batch, first, last = message.batch, message.first, message.last
        if not (batch > 0 and 0 <= first <= last):
            raise ValueError(f"{UnitRange(batch, first, last)} is no range of units")
        ranges.append(UnitRange(batch, first, last))
    return tuple(ranges)


def write_money(message: values_pb2.Money, money: Money) -> None:
    """Write an amount and its currency."""
    message.amount_minor = money.amount_minor
    message.currency_code = money.currency_code


def read_money(message: values_pb2.Money) -> Money:
    """Read an amount and its currency; without one the amount is missing."""
    return Money(message.amount_minor, intern(message.currency_code) or missing("currency_code"))


def write_time(message: Timestamp, microseconds: int) -> None:
    """Write a time in microseconds since 1970 UTC."""
    assert EARLIEST_TIME <= microseconds <= LATEST_TIME, f"no Timestamp can say {microseconds} microseconds"
    message.seconds, rest = divmod(microseconds, _SECOND)
    message.nanos = rest * 1_000


def read_time(message: Timestamp) -> int:
    """Read a time that is in whole microseconds."""
    seconds, nanos = message.seconds, message.nanos
    rest = nanos // 1_000
    microseconds = seconds * _SECOND + rest
    if nanos % 1_000 or not (0 <= rest < _SECOND and EARLIEST_TIME <= microseconds <= LATEST_TIME):
        raise ValueError(f"{seconds} s and {nanos} ns is no time in whole microseconds")
    return microseconds


def read_date(text: str) -> datetime.date:
    """Read a day in the one form the contract knows, YYYY-MM-DD; ISO 8601 has others."""
    day = datetime.date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError(f"{text!r} is not written YYYY-MM-DD")
    return day


def read_name(text: str, what: str) -> str:
    """Read an id, as the one string in memory for all events that name it."""
    return intern(text) or missing(what)


def read_number(number: int, what: str) -> int:
    """Read a position, a batch's number or a size."""
    if number < 1:
        raise ValueError(f"its {what} is {number}, and the least is 1")
    return number


def missing(what: str) -> NoReturn:
    """Refuse a message that lacks what it cannot be without."""
    raise ValueError(f"its {what} is missing")
