"""An event as stored bytes: when it was recorded, which request it answers, and what happened."""

import hashlib
from collections.abc import Sequence
from typing import Final, get_args

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from pathbook.ledger.codec.fields import UnknownNumberError, missing, read_time
from pathbook.ledger.codec.joined import head_bytes, kind_bytes
from pathbook.ledger.codec.table import EVENTS
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.key_events import Signed
from pathbook.ledger.requests import DIGEST_BYTES, REQUEST_BYTES
from pathbook.ledger.values import SIGNATURE_BYTES
from pathbook.v1 import events_pb2

_TOPICS: Final[dict[type[Event], str]] = {kind: f"{kind.__name__}.v1" for kind in get_args(Event)}


class MalformedEventError(ValueError):
    """The bytes at ``position`` are not a valid event."""

    def __init__(self, position: int, why: str) -> None:
        """Name the position and the problem in the message."""
        super().__init__(f"the event at position {position} is malformed: {why}")
        self.position = position


class NewerEventError(Exception):
    """The bytes at ``position`` are an event of a newer program.

    Its kind, or the number of an enum in it, is in field ``field``, and this program does not know it. ``data`` has the
    bytes, which a newer program can read.
    """

    def __init__(self, position: int, field: int, what: str) -> None:
        """Name the position and what is not known in the message."""
        super().__init__(
            f"the event at position {position} is newer than this program, which does not know {what}."
            " Update this program"
        )
        self.position = position
        self.field = field
        self.what = what
        self.data = b""


def leaf_hash(data: bytes) -> bytes:
    """Return the leaf hash of an event's bytes: SHA-256(0x00 | data), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def encode(
    event: Event,
    *,
    recorded_at: int,
    occurred_at: int,
    request: bytes,
    request_digest: bytes,
    signed: Signed | None = None,
) -> tuple[str, bytes]:
    """Return the topic of an event (its name and version, such as ``TransferRecorded.v1``) and its bytes.

    Both times are in microseconds since 1970 UTC. ``request`` and ``request_digest`` are the results of
    ``pathbook.ledger.requests.request_of`` and of ``pathbook.ledger.requests.digest``. ``signed`` is the statement on
    which the event rests. The rules have accepted the event, so its content is not checked again.

    Raises:
        AssertionError: a time is before the year 1 or after the year 9999, which a Timestamp cannot hold.
        ValueError: a number does not fit its field, or a text is not Unicode.
    """
    head = head_bytes(recorded_at, occurred_at, request, request_digest, signed)
    return _TOPICS[type(event)], head + kind_bytes(event)


def decode(position: int, data: bytes, *, leaf: bytes = b"", strict: bool = False) -> RecordedEvent:
    """Return the event whose bytes are stored at a position of a book. ``leaf`` is their leaf hash, if it is known.

    Fields that this program does not know are ignored, but not kinds of events and numbers of enums. With ``strict``,
    the bytes must be written in the one way that there is. So no field is unknown, given twice, out of order or longer
    than need be, and there is one kind. No two programs read two things from such bytes.

    Raises:
        NewerEventError: a newer program wrote the event. Its bytes may be right, but this program cannot tell.
        MalformedEventError: the bytes are not an event. If strict, they are not written in the one way.
    """
    try:
        message = events_pb2.Event.FromString(data)
        recorded = _read(position, message, leaf or leaf_hash(data))
        if strict:
            _require_one_way(position, message, data)
    except NewerEventError as newer:
        newer.data = data
        raise
    except (DecodeError, ValueError) as error:
        raise MalformedEventError(position, str(error)) from error
    return recorded


def _require_one_way(position: int, message: events_pb2.Event, data: bytes) -> None:
    """Raise an error if these bytes are not the one way to write an event, whose unknown fields are discarded here."""
    message.DiscardUnknownFields()
    if message.SerializeToString() == data:
        return
    if (field := unknown_field(events_pb2.Event.FromString(data))) is not None:
        raise NewerEventError(position, field, f"field {field}")
    raise ValueError("a field is given twice, out of order, longer than need be or of another type")


def unknown_field(message: Message) -> int | None:
    """Return the number of the first field in a message that this program does not know, or None if it knows all.

    A field that is known, and has another wire type than it should have, is wrong and not unknown.
    """
    unknown, known = UnknownFieldSet(message), message.DESCRIPTOR.fields_by_number
    for index in range(len(unknown)):
        number: int = unknown[index].field_number
        if number not in known:
            return number
    for field, value in message.ListFields():
        if field.message_type is not None:
            inners: Sequence[Message] = [value] if isinstance(value, Message) else value
            for inner in inners:
                if (found := unknown_field(inner)) is not None:
                    return found
    return None


def _read(position: int, message: events_pb2.Event, leaf: bytes) -> RecordedEvent:
    kind = message.WhichOneof("kind")
    if kind is None and (newer := _of_newer_kind(position, message)) is not None:
        raise newer
    if not message.HasField("recorded_at"):
        missing("recorded_at")
    recorded_at = read_time(message.recorded_at)
    occurred_at = read_time(message.occurred_at) if message.HasField("occurred_at") else recorded_at
    request = message.request
    if len(request) != REQUEST_BYTES:
        raise ValueError(f"its request has {len(request)} bytes, not {REQUEST_BYTES}")
    digest = message.request_digest
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"its request_digest has {len(digest)} bytes, not {DIGEST_BYTES}")
    if kind is None:
        raise ValueError("its kind is missing")
    try:
        event: Event = EVENTS[kind].read(getattr(message, kind))
    except UnknownNumberError as error:
        raise newer_event(position, message) or error from error
    return RecordedEvent(
        position=position,
        recorded_at=recorded_at,
        occurred_at=occurred_at,
        request=request,
        request_digest=digest,
        event=event,
        leaf=leaf,
        signed=_signed(message),
    )


def _signed(message: events_pb2.Event) -> Signed | None:
    """Return the statement of an event. It has a signature of its own, or is filed with others."""
    statement, signature = message.statement, message.signature
    filed, index = message.filed_position, message.filed_index
    if not statement:
        if signature or filed or index:
            raise ValueError("it has a signature and no statement")
        return None
    if index < 0 or filed < 0:
        raise ValueError("its statement is filed below zero")
    if filed:
        if signature:
            raise ValueError("its statement is filed, and has a signature of its own")
        return Signed(statement, filed=filed, index=index)
    if index or len(signature) != SIGNATURE_BYTES:
        raise ValueError(f"the signature of its statement has {len(signature)} bytes, not {SIGNATURE_BYTES}")
    return Signed(statement, signature)


def newer_event(position: int, message: events_pb2.Event) -> NewerEventError | None:
    """Return the error for an event of a newer program, or None if this program knows all that the event says.

    Fields that this program does not know do not count, as long as the kind of the event is known.
    """
    if message.WhichOneof("kind") is None:
        return _of_newer_kind(position, message)
    unknown = unknown_number(message)
    if unknown is None:
        return None
    field, what = unknown
    return NewerEventError(position, field, what)


def _of_newer_kind(position: int, message: events_pb2.Event) -> NewerEventError | None:
    """Return the error for an event without a known kind, if it has an unknown field. One without any is malformed."""
    unknown, known = UnknownFieldSet(message), events_pb2.Event.DESCRIPTOR.fields_by_number
    numbers = [unknown[index].field_number for index in range(len(unknown))]
    fields = [number for number in numbers if number not in known]  # a known one may have another wire type
    if not fields:
        return None
    first = events_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields[0].number
    # the fields below the first kind are about the event as a whole, so a field above is more likely its kind
    field = next((number for number in fields if number >= first), fields[0])
    return NewerEventError(position, field, f"field {field}")


def unknown_number(message: Message) -> tuple[int, str] | None:
    """Return the first number in a message that its enum does not have: the number of the field, and a description.

    Return None if all are known. A number below zero is no newer number.
    """
    for field, value in message.ListFields():
        one = isinstance(value, int | Message)
        if (kind := field.enum_type) is not None:
            numbers: Sequence[int] = [value] if one else value
            for number in numbers:
                if number > 0 and number not in kind.values_by_number:
                    return field.number, f"number {number} of {kind.name} in field {field.number}"
        elif field.message_type is not None:
            inners: Sequence[Message] = [value] if one else value
            for inner in inners:
                if (found := unknown_number(inner)) is not None:
                    return found
    return None
