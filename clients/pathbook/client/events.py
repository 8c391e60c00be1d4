"""Calls that read the events of a book, and resume where a stream broke."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller
from pathbook.v1 import events_pb2, events_pb2_grpc


class Events(Caller):
    """The EventService of a book."""

    @functools.cached_property
    def _events(self) -> events_pb2_grpc.EventServiceStub:
        return events_pb2_grpc.EventServiceStub(self._channel)

    def read(self, after_position: int = 0, *, limit: int = 0) -> Iterator[events_pb2.ReadResponse]:
        """Yield the events after a position in batches, up to the last event that the book has now.

        When the stream breaks, the client opens it again after the last batch.

        Args:
            after_position: Position of the last event you know. 0 means from the first event on.
            limit: The most events wanted. 0 means all.

        Returns:
            An iterator of batches. Each has ``first_position``; ``events``, the stored bytes of consecutive
            events, each a serialized ``events_pb2.Event`` that ``parse_event`` reads; and
            ``next_after_position``, to go on from later.

        Raises:
            RefusedError: POSITION_NEGATIVE, POSITION_BEYOND_HEAD; or a reason of every call (see ``Client``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> for batch in client.read(limit=1):
            ...     print(batch.first_position, events_pb2.Event.FromString(batch.events[0]).WhichOneof("kind"))
            1 book_opened
        """
        through = after_position + limit

        def request(after: int) -> events_pb2.ReadRequest | None:
            left = through - after if limit else 0
            if limit and not left:
                return None
            return events_pb2.ReadRequest(book=self.book, after_position=after, limit=left)

        return self._resume(
            self._events.Read, request, after_position, lambda batch: batch.next_after_position
        )

    def subscribe(self, after_position: int = 0) -> Iterator[events_pb2.SubscribeResponse]:
        """Yield the events after a position in batches, then new ones as they are recorded, without end.

        When the stream breaks, the client opens it again after the last batch. Leave the loop to end it.

        Args:
            after_position: Position of the last event you know. 0 means from the first event on.

        Returns:
            An iterator of batches, as ``read`` returns them. A batch without events says that there are none yet.
            Store ``next_after_position`` with your results, to resume there after a restart.

        Raises:
            RefusedError: POSITION_NEGATIVE, POSITION_BEYOND_HEAD; or a reason of every call (see ``Client``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> for batch in client.subscribe(after_position=3):
            ...     print(batch.first_position)
            ...     break
            4
        """

        def request(after: int) -> events_pb2.SubscribeRequest:
            return events_pb2.SubscribeRequest(book=self.book, after_position=after)

        return self._resume(
            self._events.Subscribe, request, after_position, lambda batch: batch.next_after_position
        )

    def get_head(self) -> events_pb2.GetHeadResponse:
        """Return the last position of the book, and how far its views have come.

        Returns:
            A response with ``position`` and ``views_position``.

        Raises:
            RefusedError: A reason of every call (see ``Client``), such as BOOK_UNKNOWN.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_head().position == client.position
            True
        """
        return self._call(self._events.GetHead, events_pb2.GetHeadRequest(book=self.book))
