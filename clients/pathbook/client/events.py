"""Calls that read the stream of a book, and go on where it broke off."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller, Stream
from pathbook.v1 import events_pb2, events_pb2_grpc


class Events(Caller):
    """The EventService of a book."""

    @functools.cached_property
    def _events(self) -> events_pb2_grpc.EventServiceStub:
        return events_pb2_grpc.EventServiceStub(self._channel)

    def read(self, after_position: int = 0, *, limit: int = 0) -> Iterator[events_pb2.ReadResponse]:
        """Yield batches of events after a position, up to the head, or (limit not 0) so many events."""
        through = after_position + limit

        def batches(after: int) -> Stream[events_pb2.ReadResponse] | None:
            left = through - after if limit else 0
            if limit and not left:
                return None
            request = events_pb2.ReadRequest(book=self.book, after_position=after, limit=left)
            return self._events.Read(request)

        return self._resumed(batches, after_position, lambda batch: batch.next_after_position)

    def subscribe(self, after_position: int = 0) -> Iterator[events_pb2.SubscribeResponse]:
        """Yield batches of events after a position, and of new ones as they come, without end.

        A batch without events says that there are none yet.
        """

        def batches(after: int) -> Stream[events_pb2.SubscribeResponse]:
            return self._events.Subscribe(events_pb2.SubscribeRequest(book=self.book, after_position=after))

        return self._resumed(batches, after_position, lambda batch: batch.next_after_position)

    def get_head(self) -> events_pb2.GetHeadResponse:
        """Return the last position of the book, and how far its views have come."""
        return self._ask(self._events.GetHead, events_pb2.GetHeadRequest(book=self.book))
