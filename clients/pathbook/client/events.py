"""Calls that read the events of a book, and resume where a stream broke."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller, Stream
from pathbook.v1 import events_pb2, events_pb2_grpc


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
        raise newer
    return event


class _History:
    """The incarnation that the last batch of a stream named. It is sent when the stream is opened again."""

    def __init__(self, incarnation: str) -> None:
        self.incarnation = incarnation

    def next_after(self, batch: events_pb2.ReadResponse | events_pb2.SubscribeResponse) -> int:
        """Remember the incarnation of a batch, and return the position to go on after."""
        self.incarnation = batch.incarnation or self.incarnation  # older servers send none
        return batch.next_after_position


class Events(Caller):
    """The EventService of a book."""

    @functools.cached_property
    def _events(self) -> events_pb2_grpc.EventServiceStub:
        return events_pb2_grpc.EventServiceStub(self._channel)

    def read(
        self, after_position: int = 0, *, limit: int = 0, incarnation: str = ""
    ) -> Iterator[events_pb2.ReadResponse]:
        """Yield the events after a position in batches, up to the last event that the book has now.

        When the stream breaks, the client opens it again after the last batch.

        Args:
            after_position: Position of the last event you know. 0 means from the first event on.
            limit: The most events wanted. 0 means all.
            incarnation: The ``incarnation`` of the last batch you know, "" if you know none. The client remembers it
                when it opens the stream again.

        Returns:
            An iterator of batches. Each has ``first_position``; ``events``, the stored bytes of consecutive
            events, each a serialized ``events_pb2.Event`` that ``parse_event`` reads; and
            ``next_after_position`` and ``incarnation``, to go on from later.

        Raises:
            RefusedError: POSITION_NEGATIVE, POSITION_BEYOND_HEAD; ANOTHER_HISTORY, if the book was restored from a
                backup before that position: go on after ``metadata["shared_position"]``; or a reason of every call
                (see ``Client``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> for batch in client.read(limit=1):
            ...     print(batch.first_position, events_pb2.Event.FromString(batch.events[0]).WhichOneof("kind"))
            1 book_opened
        """
        through = after_position + limit
        history = _History(incarnation)

        def batches(after: int) -> Stream[events_pb2.ReadResponse] | None:
            left = through - after if limit else 0
            if limit and not left:
                return None
            request = events_pb2.ReadRequest(
                book=self.book, after_position=after, limit=left, incarnation=history.incarnation
            )
            return self._events.Read(request)

        return self._resume(batches, after_position, history.next_after)

    def subscribe(
        self, after_position: int = 0, *, incarnation: str = ""
    ) -> Iterator[events_pb2.SubscribeResponse]:
        """Yield the events after a position in batches, then new ones as they are recorded, without end.

        When the stream breaks, the client opens it again after the last batch. Leave the loop to end it.

        Args:
            after_position: Position of the last event you know. 0 means from the first event on.
            incarnation: As in ``read``.

        Returns:
            An iterator of batches, as ``read`` returns them. A batch without events says that there are none yet.
            Store ``next_after_position`` and ``incarnation`` with your results, to resume there after a restart.

        Raises:
            RefusedError: POSITION_NEGATIVE, POSITION_BEYOND_HEAD, ANOTHER_HISTORY as in ``read``; or a reason of every
                call (see ``Client``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> for batch in client.subscribe(after_position=3):
            ...     print(batch.first_position)
            ...     break
            4
        """
        history = _History(incarnation)

        def batches(after: int) -> Stream[events_pb2.SubscribeResponse]:
            request = events_pb2.SubscribeRequest(
                book=self.book, after_position=after, incarnation=history.incarnation
            )
            return self._events.Subscribe(request)

        return self._resume(batches, after_position, history.next_after)

    def get_head(self) -> events_pb2.GetHeadResponse:
        """Return the last position of the book, how far its views have come, and its incarnation.

        Returns:
            A response with ``position``, ``views_position`` and ``incarnation``.

        Raises:
            RefusedError: A reason of every call (see ``Client``), such as BOOK_UNKNOWN.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_head().position == client.position
            True
        """
        return self._call(self._events.GetHead, events_pb2.GetHeadRequest(book=self.book))
