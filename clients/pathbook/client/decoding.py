"""Stored events as Python values: what ``read``, ``subscribe``, ``get_path`` and ``corrections`` give as bytes."""

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pathbook.v1 import events_pb2

if TYPE_CHECKING:  # only callers that decode events load the codec
    from pathbook.ledger.events import Event

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""What the times of events are counted from."""


class DecodedEvent(NamedTuple):
    """An event of a book as Python values.

    Attributes:
        position: Position of the event, 0 if it was decoded without one.
        recorded_at: When the server recorded it, in UTC.
        occurred_at: When it happened as the caller claims, or else when it was recorded, in UTC.
        kind: The name of its field in the contract's Event, such as "transfer_recorded".
        event: What happened: a class of ``pathbook.ledger.events``, such as ``TransferRecorded``, with enum members.
        data: Its stored bytes.
        leaf: Their leaf hash (RFC 6962), 32 bytes. A signed answer to the event names it.

    Example:
        >>> (opened,) = [event for batch in client.read(limit=1) for event in decode_batch(batch)]
        >>> opened.position, opened.kind, opened.event.name
        (1, 'book_opened', 'masks')
    """

    position: int
    recorded_at: datetime.datetime
    occurred_at: datetime.datetime
    kind: str
    event: "Event"
    data: bytes
    leaf: bytes


def decode(event: bytes | events_pb2.Event, position: int = 0) -> DecodedEvent:
    """Return an event as Python values.

    Args:
        event: The stored bytes of an event, or the message that they are.
        position: Position of the event, which bytes do not tell. 0 if it does not matter.

    Returns:
        A DecodedEvent with ``position``, ``recorded_at``, ``occurred_at``, ``kind`` and ``event``.

    Raises:
        NewerEventError: A newer program wrote the event. The error has ``position``, ``field`` and ``data``, its bytes.
            Update this program to read it.
        MalformedEventError: The bytes are no event (``pathbook.ledger.codec``); it is a ValueError.

    Example:
        >>> step = client.get_path((1, 0)).steps[0]
        >>> made = decode(step.event, step.position)
        >>> made.kind, made.event.size
        ('batch_commissioned', 1000)
    """
    from pathbook.ledger import codec
    from pathbook.ledger.codec.table import FIELD_OF

    data = event if isinstance(event, bytes) else event.SerializeToString(deterministic=True)
    recorded = codec.decode(position, data)
    return DecodedEvent(
        position=position,
        recorded_at=EPOCH + datetime.timedelta(microseconds=recorded.recorded_at),
        occurred_at=EPOCH + datetime.timedelta(microseconds=recorded.occurred_at),
        kind=FIELD_OF[type(recorded.event)],
        event=recorded.event,
        data=data,
        leaf=recorded.leaf,
    )


def decode_batch(batch: events_pb2.ReadResponse | events_pb2.SubscribeResponse) -> Iterator[DecodedEvent]:
    """Yield the events of a batch that ``read`` or ``subscribe`` gives, with their positions.

    Args:
        batch: The batch. One without events yields nothing.

    Yields:
        Each event, as ``decode`` returns it.

    Raises:
        NewerEventError: As ``decode`` raises it. The events before it have been yielded.
        MalformedEventError: The bytes are no event (``pathbook.ledger.codec``); it is a ValueError.

    Example:
        >>> for batch in client.read(after_position=1, limit=2):
        ...     for decoded in decode_batch(batch):
        ...         print(decoded.position, decoded.kind, decoded.event.party, decoded.event.kind.name)
        2 party_registered acme BRAND
        3 party_registered ann AGENT
    """
    for position, data in enumerate(batch.events, batch.first_position):
        yield decode(data, position)


def parse_event(position: int, data: bytes) -> events_pb2.Event:
    """Return an event from its stored bytes, if this program knows its kind and all its numbers of enums.

    Args:
        position: Position of the event, which only an error names.
        data: An item of ``events`` of a batch.

    Returns:
        The event. Fields that this program does not know are ignored.

    Raises:
        NewerEventError: A newer program wrote the event (``pathbook.ledger.codec``). Update this program to read it.
        DecodeError: The bytes are not a message (``google.protobuf.message``).

    Example:
        >>> for batch in client.read(limit=1):
        ...     print(parse_event(batch.first_position, batch.events[0]).WhichOneof("kind"))
        book_opened
    """
    from pathbook.ledger.codec import newer_event

    event = events_pb2.Event.FromString(data)
    if (newer := newer_event(position, event)) is not None:
        newer.data = data
        raise newer
    return event
