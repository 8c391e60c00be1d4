"""EventService: the events of a book, for auditors and for services that subscribe to it."""

from collections.abc import AsyncIterator

import grpc

from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.values import is_request_id
from pathbook.services.access.callers import current_caller
from pathbook.services.access.narrowing import Narrowing
from pathbook.services.drain import Drain
from pathbook.services.event_batches import EventBatches
from pathbook.services.gateway import Gateway
from pathbook.services.translate import requests
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.services.translate.values import timestamp
from pathbook.v1 import events_pb2, values_pb2


class EventService:
    """Returns stored bytes unchanged: a caller reads the bytes that were hashed.

    Its streams yield responses that are already serialized, once for all callers at the same position. Therefore it
    is not a servicer of the generated code, where gRPC serializes each response for each caller.
    """

    def __init__(self, gateway: Gateway, event_batches: EventBatches, drain: Drain) -> None:
        self._gateway = gateway
        self._event_batches = event_batches
        self._drain = drain

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add the methods of this service to a server, before its start."""
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
                "GetEventByRequest": grpc.unary_unary_rpc_method_handler(
                    self.GetEventByRequest,
                    events_pb2.GetEventByRequestRequest.FromString,
                    events_pb2.GetEventByRequestResponse.SerializeToString,
                ),
            },
        )
        server.add_generic_rpc_handlers([methods])

    async def Read(self, request: events_pb2.ReadRequest, _context: object) -> AsyncIterator[bytes]:
        """Stream the events after a position, up to the current head, as serialized ReadResponses."""
        book = requests.book_name(request.book)
        limit = requests.position(request.limit, "limit")
        after, head = await self._after_and_head(book, request.after_position, request.incarnation)
        through = min(head, after + limit) if limit else head
        async for batch in self._event_batches.batches(book, after, through):
            self._drain.check()
            async for response in self._shown(book, batch.response):
                yield response

    async def Subscribe(self, request: events_pb2.SubscribeRequest, _context: object) -> AsyncIterator[bytes]:
        """Stream the events after a position, then new ones as they come, as serialized SubscribeResponses."""
        book = requests.book_name(request.book)
        after, head = await self._after_and_head(book, request.after_position, request.incarnation)
        while True:
            async for batch in self._event_batches.batches(book, after, head):
                self._drain.check()
                async for response in self._shown(book, batch.response):
                    yield response
                after = batch.last
            head = await self._drain.unless_begun(self._event_batches.head_beyond(book, after))
            if head == after:
                alive = events_pb2.SubscribeResponse(
                    next_after_position=after, incarnation=await self._gateway.incarnation(book)
                )
                yield alive.SerializeToString()

    async def _shown(self, book: str, response: bytes) -> AsyncIterator[bytes]:
        """Yield a batch as the caller gets it."""
        caller = current_caller()
        if caller.sees_everything:
            yield response
            return
        async for narrowed in Narrowing(self._gateway, caller, book).narrowed(response):
            yield narrowed

    async def GetHead(
        self, request: events_pb2.GetHeadRequest, _context: object
    ) -> events_pb2.GetHeadResponse:
        """Return the last position of a book, the position that its views have reached, and its incarnation."""
        book = requests.book_name(request.book)
        views_position = await self._gateway.views_position(book)
        head = await self._gateway.head(book)
        incarnation = await self._gateway.incarnation(book)
        return events_pb2.GetHeadResponse(
            position=head, views_position=views_position, incarnation=incarnation
        )

    async def GetEventByRequest(
        self, request: events_pb2.GetEventByRequestRequest, _context: object
    ) -> events_pb2.GetEventByRequestResponse:
        """Return what a caller recorded under one of its request ids."""
        book = requests.book_name(request.book)
        if not is_request_id(request.request_id):
            raise RefusedCallError(refuse(Reason.REQUEST_ID_MALFORMED))
        found = await self._gateway.ask(
            request.at_least_position,
            self._gateway.queries.event_of_request,
            book,
            request.party,
            request.request_id,
        )
        receipt = values_pb2.Receipt(
            position=found.position, recorded_at=timestamp(found.recorded_at), duplicate=True
        )
        return events_pb2.GetEventByRequestResponse(receipt=receipt, event=found.data)

    async def _after_and_head(self, book: str, after_position: int, incarnation: str) -> tuple[int, int]:
        """Return the position to begin after, and the head.

        Raises:
            CallFailedError: the position is of another history, or beyond the head.
        """
        after = requests.position(after_position, "after_position")
        head = await self._gateway.head(book)
        await self._gateway.require_history(book, incarnation, after)
        return requests.within(book, after, head), head
