"""The kinds of fields of stored events. Each says how it is read from a message and how it is written to one.

A field is a pair of templates. A shape compiles the templates of its fields into two functions, as dataclasses and
msgspec do with theirs. A loop over field objects is shorter, but took twice as long. For a transfer, decoding rose
from 7.3 to 13 microseconds and encoding from 5 to 7.5. Nearly every event is a transfer.

A function that reads a field raises ValueError if the field is missing or invalid. The caller adds the position.
"""

import datetime
import enum
from collections.abc import Callable, Mapping, Sequence
from sys import intern
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.notes import COMMITMENT_BYTES
from pathbook.ledger.values import Price, Ranges, UnitRange
from pathbook.v1 import values_pb2

EARLIEST_TIME: Final = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in microseconds since 1970 UTC, the first time that a Timestamp can hold."""

LATEST_TIME: Final = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z in microseconds since 1970 UTC, the last time that a Timestamp can hold."""

HASH_BYTES: Final = 32
"""The length of the root of a tree: that of a SHA-256 hash."""

_SECOND: Final = 1_000_000  # microseconds

_Enum = TypeVar("_Enum", bound=enum.IntEnum)
_Value = TypeVar("_Value")


class UnknownNumberError(ValueError):
    """A field has a number that no member of its enum has. A newer program may know it."""


class Numbered(dict[int, _Enum], Generic[_Enum]):
    """The members of an enum by number. A lookup is as strict as a call of the enum, and much faster.

    An enum of the ledger and its counterpart in the contract have the same numbers. 0 means "not set" and has no
    member.
    """

    def __init__(self, kind: type[_Enum]) -> None:
        """Index all members of an enum."""
        super().__init__((int(member), member) for member in kind)
        self._name = kind.__name__

    def __missing__(self, number: int) -> NoReturn:
        """Raise ValueError for a number that no member has. Enums count up from 0, which means that none is set."""
        problem = f"{self._name} has no number {number}"
        raise UnknownNumberError(problem) if number > 0 else ValueError(problem)


class Field(NamedTuple):
    """A field of a stored shape. ``name`` is its name in the message.

    ``read`` is an expression that uses ``message``, the message around the field. ``write`` is a statement that uses
    this message and ``value``, the struct. ``names`` has all other names that the two templates use.
    """

    name: str
    read: str
    write: str
    names: Mapping[str, object]


class Shape(Generic[_Value]):
    """A struct of the ledger and its fields, in the order of the struct's arguments."""

    def __init__(self, struct: type[_Value], *fields: Field) -> None:
        """Compile a function that reads the struct from a message, and one that writes it to a message."""
        self.struct = struct
        self.fields = fields
        names: dict[str, object] = {"struct": struct}
        for field in fields:
            names.update(field.names)
        reads = ", ".join(field.read for field in fields)
        writes = "".join(f"    {field.write}\n" for field in fields)
        source = f"def read(message):\n    return struct({reads})\ndef write(message, value):\n{writes}"
        exec(source, names)  # noqa: S102 - the source consists of the templates below
        self.read: Callable[[Message], _Value] = names["read"]  # type: ignore[assignment]  # the source above defines it
        self.write: Callable[[Message, _Value], None] = names["write"]  # type: ignore[assignment]  # as above


def name(attribute: str, field: str = "") -> Field:
    """Return the field of an id, which is not empty. All events that name it share one string in memory."""
    field = field or attribute
    return _plain(attribute, field, f"intern(message.{field}) or missing({field!r})", intern, missing)


def text(attribute: str) -> Field:
    """Return the field of a free text, which may be empty."""
    return _plain(attribute, attribute, f"message.{attribute}")


def flag(attribute: str) -> Field:
    """Return the field of a yes or no."""
    return _plain(attribute, attribute, f"message.{attribute}")


def commitment(attribute: str) -> Field:
    """Return the field of a commitment to a note, which is empty if there is no note."""
    return _plain(attribute, attribute, f"read_commitment(message.{attribute})", read_commitment)


def names(attribute: str, field: str = "", *, one: str) -> Field:
    """Return the field of a list of ids, which are not empty. An error calls an id ``one``."""
    field = field or attribute
    return Field(
        field,
        f"tuple([intern(item) or missing({one!r}) for item in message.{field}])",
        f"message.{field}.extend(value.{attribute})",
        {"intern": intern, "missing": missing},
    )


def number(attribute: str) -> Field:
    """Return the field of a position, a batch number or a size, which is at least 1."""
    return _plain(attribute, attribute, f"read_number(message.{attribute}, {attribute!r})", read_number)


def count(attribute: str) -> Field:
    """Return the field of a count, which may be 0."""
    return _plain(attribute, attribute, f"read_count(message.{attribute}, {attribute!r})", read_count)


def tier(attribute: str) -> Field:
    """Return the field of a tier, which is always set."""
    return _plain(attribute, attribute, f"message.{attribute}")


def optional_tier(attribute: str) -> Field:
    """Return the field of a tier, or of None if it is not set. 0 is a tier."""
    found = f"(tier if (tier := message.{attribute}) or message.HasField({attribute!r}) else None)"
    return _optional(attribute, found, f"message.{attribute} = value.{attribute}")


def member(attribute: str, kind: type[enum.IntEnum]) -> Field:
    """Return the field of an enum member."""
    members = {f"members_of_{kind.__name__}": Numbered(kind)}
    (listed,) = members
    return Field(
        attribute, f"{listed}[message.{attribute}]", f"message.{attribute} = value.{attribute}", members
    )


def optional_member(attribute: str, kind: type[enum.IntEnum]) -> Field:
    """Return the field of an enum member, or of None if it is not set."""
    members = {f"members_of_{kind.__name__}": Numbered(kind)}
    (listed,) = members
    found = f"({listed}[number] if (number := message.{attribute}) else None)"
    return _optional(attribute, found, f"message.{attribute} = value.{attribute}")._replace(names=members)


def price(attribute: str) -> Field:
    """Return the field of an amount in minor units of a currency. Without a currency the amount is missing."""
    return _by(attribute, read_price, write_price)


def ranges(attribute: str) -> Field:
    """Return the field of ranges of units. The first number of a range is not negative, the last not below it."""
    return _by(attribute, read_ranges, write_ranges)


def time(attribute: str) -> Field:
    """Return the field of a time in microseconds since 1970 UTC."""
    read = f"read_time(message.{attribute}) if message.HasField({attribute!r}) else missing({attribute!r})"
    written = _by(attribute, read_time, write_time)
    return Field(attribute, read, written.write, {**written.names, "missing": missing})


def optional_time(attribute: str) -> Field:
    """Return the field of a time in microseconds since 1970 UTC, or of None if it is not set."""
    written = _by(attribute, read_time, write_time)
    read = f"read_time(message.{attribute}) if message.HasField({attribute!r}) else None"
    return _optional(attribute, read, written.write)._replace(names=written.names)


def date(attribute: str) -> Field:
    """Return the field of a day, written YYYY-MM-DD."""
    write = f"message.{attribute} = value.{attribute}.isoformat()"
    return Field(attribute, f"read_date(message.{attribute})", write, {"read_date": read_date})


def optional_date(attribute: str) -> Field:
    """Return the field of a day, written YYYY-MM-DD, or of None if the text is empty."""
    required = date(attribute)
    read = f"{required.read} if message.{attribute} else None"
    return _optional(attribute, read, required.write)._replace(names=required.names)


def octets(attribute: str, length: int, *, optional: bool = False) -> Field:
    """Return the field of a hash, a key or a signature, which has a fixed length. It may be empty if it is optional."""
    read = f"read_octets(message.{attribute}, {attribute!r}, {length}, {optional})"
    return _plain(attribute, attribute, read, read_octets)


def hashes(attribute: str) -> Field:
    """Return the field of joined hashes, at least one."""
    return _plain(attribute, attribute, f"read_hashes(message.{attribute}, {attribute!r})", read_hashes)


def inner(attribute: str, shape: Shape[_Value]) -> Field:
    """Return the field of a struct inside the struct. Its message is filled in place, which is cheaper than a copy."""
    read, write = f"read_{attribute}", f"write_{attribute}"
    return Field(
        attribute,
        f"{read}(message.{attribute})",
        f"{write}(message.{attribute}, value.{attribute})",
        {read: shape.read, write: shape.write},
    )


def some_inners(attribute: str, shape: Shape[_Value]) -> Field:
    """Return the field of a list of structs inside the struct, which is not empty."""
    listed = inners(attribute, shape)
    return listed._replace(
        read=f"{listed.read} or missing({attribute!r})", names={**listed.names, "missing": missing}
    )


def inners(attribute: str, shape: Shape[_Value]) -> Field:
    """Return the field of a list of structs inside the struct."""
    read, write = f"read_{attribute}", f"write_{attribute}"
    return Field(
        attribute,
        f"tuple([{read}(item) for item in message.{attribute}])",
        f"for item in value.{attribute}: {write}(message.{attribute}.add(), item)",
        {read: shape.read, write: shape.write},
    )


def numbers(attribute: str) -> Field:
    """Return the field of a list of batch numbers, which are at least 1."""
    return Field(
        attribute,
        f"tuple([read_number(item, {attribute!r}) for item in message.{attribute}])",
        f"message.{attribute}.extend(value.{attribute})",
        {"read_number": read_number},
    )


def one_of(attribute: str, shapes: Mapping[str, Shape[Any]]) -> Field:
    """Return the field of a struct of one of several kinds. ``shapes`` are by the field of each kind."""

    def read_one(message: Message) -> object:
        field = message.WhichOneof(attribute)
        return shapes[field].read(getattr(message, field)) if field else missing(attribute)

    def write_one(message: Message, value: object) -> None:
        field = field_of[type(value)]
        shapes[field].write(getattr(message, field), value)

    field_of = {shape.struct: field for field, shape in shapes.items()}
    return Field(
        attribute,
        "read_one(message)",
        f"write_one(message, value.{attribute})",
        {"read_one": read_one, "write_one": write_one},
    )


def _plain(attribute: str, field: str, read: str, *used: Callable[..., object]) -> Field:
    """Return a field that is written by an assignment. ``used`` are the functions in its template for reading."""
    return Field(field, read, f"message.{field} = value.{attribute}", {one.__name__: one for one in used})


def _by(attribute: str, read: Callable[..., object], write: Callable[..., object]) -> Field:
    """Return a field that one function reads and another writes."""
    return Field(
        attribute,
        f"{read.__name__}(message.{attribute})",
        f"{write.__name__}(message.{attribute}, value.{attribute})",
        {read.__name__: read, write.__name__: write},
    )


def _optional(attribute: str, read: str, write: str) -> Field:
    """Return a field that is written only if the struct's value is not None."""
    return Field(attribute, read, f"if value.{attribute} is not None: {write}", {})


def write_ranges(messages: RepeatedCompositeFieldContainer[values_pb2.UnitRange], ranges: Ranges) -> None:
    """Add a message for each range."""
    add = messages.add
    for item in ranges:
        message = add()
        message.batch = item.batch
        message.first = item.first
        message.last = item.last


def read_ranges(messages: Sequence[values_pb2.UnitRange]) -> Ranges:
    """Read ranges. Each has a batch number of 1 or more, and its last unit is not below its first, which is 0 or more.

    Raises:
        ValueError: a range has other numbers.
    """
    found = []
    for message in messages[:]:  # a copy as a list, because a loop over the field itself takes twice as long
        batch, first, last = message.batch, message.first, message.last
        if not (batch > 0 and 0 <= first <= last):
            raise ValueError(f"{UnitRange(batch, first, last)} is not a range of units")
        found.append(UnitRange(batch, first, last))
    return tuple(found)


def write_price(message: values_pb2.Price, price: Price) -> None:
    """Write an amount, its currency, and the number of units that it is for if that is not 1."""
    message.amount_minor = price.amount_minor
    message.currency_code = price.currency_code
    if price.per_units != 1:
        message.per_units = price.per_units


def read_price(message: values_pb2.Price) -> Price:
    """Read a price. Without a currency it is missing."""
    per_units = message.per_units or 1
    if per_units < 1 or message.amount_minor < 0:
        raise ValueError(f"{message.amount_minor} for {per_units} units is not a price")
    return Price(message.amount_minor, intern(message.currency_code) or missing("currency_code"), per_units)


def write_time(message: Timestamp, microseconds: int) -> None:
    """Write a time in microseconds since 1970 UTC."""
    assert EARLIEST_TIME <= microseconds <= LATEST_TIME, f"no Timestamp can hold {microseconds} microseconds"
    message.seconds, rest = divmod(microseconds, _SECOND)
    message.nanos = rest * 1_000


def read_time(message: Timestamp) -> int:
    """Read a time, which must be in whole microseconds."""
    seconds, nanos = message.seconds, message.nanos
    rest = nanos // 1_000
    microseconds = seconds * _SECOND + rest
    if nanos % 1_000 or not (0 <= rest < _SECOND and EARLIEST_TIME <= microseconds <= LATEST_TIME):
        raise ValueError(f"{seconds} s and {nanos} ns is not a time in whole microseconds")
    return microseconds


def read_date(written: str) -> datetime.date:
    """Read a day, written YYYY-MM-DD. ISO 8601 has other forms, which are refused."""
    day = datetime.date.fromisoformat(written)
    if day.isoformat() != written:
        raise ValueError(f"{written!r} is not written YYYY-MM-DD")
    return day


def read_commitment(commitment: bytes) -> bytes:
    """Read a commitment to a note. It is empty if there is no note."""
    if len(commitment) not in (0, COMMITMENT_BYTES):
        raise ValueError(f"its commitment to a note has {len(commitment)} bytes, not {COMMITMENT_BYTES}")
    return commitment


def read_number(number: int, what: str) -> int:
    """Read a position, a batch number or a size, which is at least 1."""
    if number < 1:
        raise ValueError(f"its {what} is {number}, but must be at least 1")
    return number


def read_count(number: int, what: str) -> int:
    """Read a count, which is not negative."""
    if number < 0:
        raise ValueError(f"its {what} is {number}, but must be at least 0")
    return number


def read_octets(found: bytes, what: str, length: int, optional: bool) -> bytes:  # noqa: FBT001 - see octets
    """Read bytes of a fixed length, or none if they are optional."""
    if len(found) != length and (found or not optional):
        raise ValueError(f"its {what} has {len(found)} bytes, not {length}")
    return found


def read_hashes(found: bytes, what: str) -> bytes:
    """Read joined hashes, at least one."""
    if not found or len(found) % HASH_BYTES:
        raise ValueError(f"its {what} has {len(found)} bytes, which are not hashes of {HASH_BYTES}")
    return found


def missing(what: str) -> NoReturn:
    """Raise ValueError for a required field that a message lacks."""
    raise ValueError(f"its {what} is missing")
