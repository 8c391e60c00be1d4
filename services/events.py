"""EventService: the stream of a book, for auditors and for services that follow it."""

from collections.abc import AsyncIterator

from pathbook.v1 import events_pb2, events_pb2_grpc
from services import requests
from services.doors import Doors
from services.drain import Drain
from services.following import Following


class EventService(events_pb2_grpc.EventServiceServicer):
    """Hands out stored bytes as they are: what is read here is what was hashed."""

    def __init__(self, doors: Doors, following: Following, drain: Drain) -> None:
        self._doors = doors
        self._following = following
        self._drain = drain

    async def Read(
        self, request: events_pb2.ReadRequest, _context: object
    ) -> AsyncIterator[events_pb2.ReadResponse]:
        """Stream the events after a position, up to the head of now."""
        book = requests.book_name(request.book)
        limit = requests.position(request.limit, "limit")
        after, head = await self._place(book, request.after_position)
        through = min(head, after + limit) if limit else head
        async for batch in self._following.batches(book, after, through):
            self._drain.check()
            yield events_pb2.ReadResponse(
                first_position=batch[0].position,
                events=[entry.data for entry in batch],
                next_after_position=batch[-1].position,
            )

    async def Subscribe(
        self, request: events_pb2.SubscribeRequest, _context: object
    ) -> AsyncIterator[events_pb2.SubscribeResponse]:
        """Stream the events after a position, and new ones as they come."""
        book = requests.book_name(request.book)
        after, head = await self._place(book, request.after_position)
        while True:
            async for batch in self._following.batches(book, after, head):
                after = batch[-1].position
                yield events_pb2.SubscribeResponse(
                    first_position=batch[0].position,
                    events=[entry.data for entry in batch],
                    next_after_position=after,
                )
            head = await self._drain.unless_begun(self._following.head_beyond(book, after))
            if head == after:
                yield events_pb2.SubscribeResponse(next_after_position=after)

    async def GetHead(
        self, request: events_pb2.GetHeadRequest, _context: object
    ) -> events_pb2.GetHeadResponse:
        """Tell where a book ends, and how far its views have come."""
        book = requests.book_name(request.book)
        views_position = await self._doors.views_position(book)
        head = await self._doors.head(book)
        return events_pb2.GetHeadResponse(position=head, views_position=views_position)

    async def _place(self, book: str, after_position: int) -> tuple[int, int]:
        """Return where a caller wants to begin, and the head. Raises CallFailed for a place beyond it."""
        after = requests.position(after_position, "after_position")
        head = await self._doors.head(book)
        return requests.within(book, after, head), head
