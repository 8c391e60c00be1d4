"""Events as bytes that are joined from parts, because most parts of an event were serialized for another one before.

A message is its fields, one after the other. So parts that are joined in the order of their fields are the message. To
fill a message for each event, and to serialize it, takes two and a half times as long.
"""

from functools import lru_cache
from typing import Final

from google.protobuf.message import Message

from pathbook.ledger.codec.fields import write_price, write_time
from pathbook.ledger.codec.table import AUTHORITY, EVENTS, FIELD_OF, OTHERS
from pathbook.ledger.events import Event, TransferRecorded, UnitsSold
from pathbook.ledger.key_events import Signed
from pathbook.ledger.requests import DIGEST_BYTES, REQUEST_BYTES
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import Delivery, Price, UnitRange
from pathbook.v1 import events_pb2, values_pb2

CACHED_PARTS_MAX: Final = 4_096
"""Of how many pairs of parties, and of how many prices with their authorities, the bytes are cached."""

CACHED_TIMES_MAX: Final = 64
"""Of how many times the bytes are cached. All events of a group were recorded at the same time."""

_MORE: Final = 0x80
"""The bit in a byte of a number that says that another byte follows."""

_TOO_LARGE: Final = 2**63
"""The first number that a field of 64 bits cannot hold."""

_VARINT: Final = 0
"""The wire type of numbers: https://protobuf.dev/programming-guides/encoding."""

_DELIMITED: Final = 2
"""The wire type of messages and bytes."""


def head_bytes(
    recorded_at: int, occurred_at: int, request: bytes, request_digest: bytes, signed: Signed | None
) -> bytes:
    """Return the bytes of an event up to its kind.

    Raises:
        AssertionError: as ``write_time``.
    """
    head = _times(recorded_at, occurred_at) + _REQUEST + request + _DIGEST + request_digest
    return head if signed is None else head + _statement(signed)


def kind_bytes(event: Event) -> bytes:
    """Return the bytes of the kind of an event, with what happened.

    Raises:
        ValueError: a number does not fit its field, or a text is not Unicode.
    """
    if isinstance(event, (TransferRecorded, UnitsSold)):
        return _delimited(_KIND_TAGS[type(event)], _delimited(_TERMS_TAG, _terms(event.terms)))
    message, field = events_pb2.Event(), FIELD_OF[type(event)]
    EVENTS[field].write(getattr(message, field), event)
    # deterministic serialization would only fix the order of maps, and no message here has a map
    return message.SerializeToString()


def _terms(terms: Terms) -> bytes:
    joined = (
        _sides(terms.giver, terms.receiver)
        + b"".join([_delimited(_RANGE_TAG, _range(part)) for part in terms.ranges])
        + _agreed(terms.unit_price, terms.delivery, terms.authorities)
    )
    if terms.reference or terms.chosen_by_book or terms.extra_allowed:
        others = events_pb2.Terms()
        OTHERS.write(others, terms)
        joined += others.SerializeToString()
    return joined


def _range(part: UnitRange) -> bytes:
    """Return the bytes of a range: nothing repeats, and to fill a message and serialize it takes twice as long."""
    batch, first, last = part.batch, part.first, part.last
    if not (0 < batch < _TOO_LARGE and 0 <= first <= last < _TOO_LARGE):
        # no book writes such a range, but tests of readers do
        return values_pb2.UnitRange(batch=batch, first=first, last=last).SerializeToString()
    data = _BATCH_TAG + _number(batch)
    if first:  # a 0 is not written
        data += _FIRST_TAG + _number(first)
    return data + _LAST_TAG + _number(last) if last else data


@lru_cache(CACHED_PARTS_MAX)
def _sides(giver: str, receiver: str) -> bytes:
    return events_pb2.Terms(giver=giver, receiver=receiver).SerializeToString()


@lru_cache(CACHED_PARTS_MAX)
def _agreed(price: Price, delivery: Delivery, authorities: tuple[Authority, ...]) -> bytes:
    message = events_pb2.Terms()
    write_price(message.unit_price, price)
    message.delivery = values_pb2.Delivery.ValueType(delivery)
    for authority in authorities:
        AUTHORITY.write(message.authorities.add(), authority)
    return message.SerializeToString()


@lru_cache(CACHED_TIMES_MAX)
def _times(recorded_at: int, occurred_at: int) -> bytes:
    message = events_pb2.Event()
    write_time(message.recorded_at, recorded_at)
    if occurred_at != recorded_at:
        write_time(message.occurred_at, occurred_at)
    return message.SerializeToString()


def _statement(signed: Signed) -> bytes:
    message = events_pb2.Event()
    message.statement = signed.statement
    message.signature = signed.signature
    message.filed_position = signed.filed
    message.filed_index = signed.index
    return message.SerializeToString()


def _delimited(tag: bytes, data: bytes) -> bytes:
    """Return the bytes of a field that is a message."""
    return tag + _number(len(data)) + data


def _number(number: int) -> bytes:
    """Return a number as protobuf writes it: seven bits in each byte, the lowest first."""
    if number < _MORE:
        return _BYTES[number]
    return _BYTES[number % _MORE + _MORE] + _number(number // _MORE)


def _tag(message: type[Message], field: str, wire_type: int = _DELIMITED) -> bytes:
    """Return what stands before a field."""
    return _number(message.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type)


_BYTES: Final = tuple([bytes((byte,)) for byte in range(2 * _MORE)])
_REQUEST: Final = _tag(events_pb2.Event, "request") + _number(REQUEST_BYTES)
_DIGEST: Final = _tag(events_pb2.Event, "request_digest") + _number(DIGEST_BYTES)
_TERMS_TAG: Final = _tag(events_pb2.TransferRecorded, "terms")
_KIND_TAGS: Final[dict[type[Event], bytes]] = {
    kind: _tag(events_pb2.Event, FIELD_OF[kind]) for kind in (TransferRecorded, UnitsSold)
}
_RANGE_TAG: Final = _tag(events_pb2.Terms, "ranges")
_BATCH_TAG: Final = _tag(values_pb2.UnitRange, "batch", _VARINT)
_FIRST_TAG: Final = _tag(values_pb2.UnitRange, "first", _VARINT)
_LAST_TAG: Final = _tag(values_pb2.UnitRange, "last", _VARINT)
