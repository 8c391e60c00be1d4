"""EventService: the stream of a book, for auditors and for services that follow it."""

from collections.abc import AsyncIterator

import grpc

from pathbook.services.drain import Drain
from pathbook.services.event_batches import EventBatches
from pathbook.services.gateway import Gateway
from pathbook.services.translate import requests
from pathbook.v1 import events_pb2


class EventService:
    """Hands out stored bytes as they are: what is read here is what was hashed.

    Its streams yield responses that are serialised already, once for all callers at the same place. That is why
    it is no servicer of the generated code, which has gRPC serialise each response for each caller.
    """

    def __init__(self, gateway: Gateway, following: EventBatches, drain: Drain) -> None:
        self._gateway = gateway
        self._following = following
        self._drain = drain

    def add_to(self, server: grpc.aio.Server) -> None:
        """Let a server that was not started answer the calls of this service."""
        methods = grpc.method_handlers_generic_handler(
            events_pb2.DESCRIPTOR.services_by_name["EventService"].full_name,
            {
                "Read": grpc.unary_stream_rpc_method_handler(self.Read, events_pb2.ReadRequest.FromString),
                "Subscribe": grpc.unary_stream_rpc_method_handler(
                    self.Subscribe, events_pb2.SubscribeRequest.FromString
                ),
                "GetHead": grpc.unary_unary_rpc_method_handler(
                    self.GetHead,
                    events_pb2.GetHeadRequest.FromString,
                    events_pb2.GetHeadResponse.SerializeToString,
                ),
            },
        )
        server.add_generic_rpc_handlers([methods])

    async def Read(self, request: events_pb2.ReadRequest, _context: object) -> AsyncIterator[bytes]:
        """Stream the events after a position, up to the head of now, as serialised ReadResponses."""
        book = requests.book_name(request.book)
        limit = requests.position(request.limit, "limit")
        after, head = await self._place(book, request.after_position)
        through = min(head, after + limit) if limit else head
        async for batch in self._following.batches(book, after, through):
            self._drain.check()
            yield batch.response

    async def Subscribe(self, request: events_pb2.SubscribeRequest, _context: object) -> AsyncIterator[bytes]:
        """Stream the events after a position, and new ones as they come, as serialised SubscribeResponses."""
        book = requests.book_name(request.book)
        after, head = await self._place(book, request.after_position)
        while True:
            async for batch in self._following.batches(book, after, head):
                self._drain.check()
                yield batch.response
                after = batch.last
            head = await self._drain.unless_begun(self._following.head_beyond(book, after))
            if head == after:
                yield events_pb2.SubscribeResponse(next_after_position=after).SerializeToString()

    async def GetHead(
        self, request: events_pb2.GetHeadRequest, _context: object
    ) -> events_pb2.GetHeadResponse:
        """Tell where a book ends, and how far its views have come."""
        book = requests.book_name(request.book)
        views_position = await self._gateway.views_position(book)
        head = await self._gateway.head(book)
        return events_pb2.GetHeadResponse(position=head, views_position=views_position)

    async def _place(self, book: str, after_position: int) -> tuple[int, int]:
        """Return where a caller wants to begin, and the head. Raises CallFailedError for a place beyond it."""
        after = requests.position(after_position, "after_position")
        head = await self._gateway.head(book)
        return requests.within(book, after, head), head
