"""BatchService: products, batches, codes, cases, recalls."""

from ledger import commands
from ledger.events import BatchCommissioned, ProductRegistered
from pathbook.v1 import batches_pb2, batches_pb2_grpc
from services import answers, requests
from services.doors import Doors


class BatchService(batches_pb2_grpc.BatchServiceServicer):
    """Each method says in the ledger's words what is asked, asks the book, and answers in messages."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def RegisterProduct(
        self, request: batches_pb2.RegisterProductRequest, _context: object
    ) -> batches_pb2.RegisterProductResponse:
        """Register a product."""
        command = commands.RegisterProduct(
            request_id=request.request_id,
            brand=request.brand,
            product=request.gtin,
            name=request.name,
            suggested_price=requests.money(request, "suggested_price"),
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        event = answer.recorded.event
        assert isinstance(event, ProductRegistered)
        return batches_pb2.RegisterProductResponse(receipt=answers.receipt(answer), gtin=event.product)

    async def CommissionBatch(
        self, request: batches_pb2.CommissionBatchRequest, _context: object
    ) -> batches_pb2.CommissionBatchResponse:
        """Make a lot of units."""
        command = commands.CommissionBatch(
            request_id=request.request_id,
            brand=request.brand,
            product=request.gtin,
            lot=request.lot,
            size=request.size,
            made_on=requests.date(request.made_on, "made_on"),
            expires_on=requests.date_or_none(request.expires_on, "expires_on"),
            suggested_price=requests.money_or_none(request, "suggested_price"),
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        event = answer.recorded.event
        assert isinstance(event, BatchCommissioned)
        return batches_pb2.CommissionBatchResponse(receipt=answers.receipt(answer), batch=event.batch)

    async def PackCase(
        self, request: batches_pb2.PackCaseRequest, _context: object
    ) -> batches_pb2.PackCaseResponse:
        """Pack a case."""
        book = requests.book_name(request.book)
        command = commands.PackCase(
            request_id=request.request_id,
            occurred_at=requests.time_or_now(request),
            party=request.party,
            sscc=request.sscc,
            units=await self._doors.selection(book, requests.selected(request)),
        )
        answer = await self._doors.write(book, command)
        return batches_pb2.PackCaseResponse(receipt=answers.receipt(answer))

    async def UnpackCase(
        self, request: batches_pb2.UnpackCaseRequest, _context: object
    ) -> batches_pb2.UnpackCaseResponse:
        """Unpack a case."""
        command = commands.UnpackCase(
            request_id=request.request_id,
            occurred_at=requests.time_or_now(request),
            party=request.party,
            sscc=request.sscc,
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        return batches_pb2.UnpackCaseResponse(receipt=answers.receipt(answer))

    async def RecallUnits(
        self, request: batches_pb2.RecallUnitsRequest, _context: object
    ) -> batches_pb2.RecallUnitsResponse:
        """Recall units."""
        requests.bounded(len(request.ranges))
        command = commands.RecallUnits(
            request_id=request.request_id,
            occurred_at=requests.time_or_now(request),
            brand=request.brand,
            batch=request.batch,
            ranges=requests.ranges(request.ranges),
            note=request.note,
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        return batches_pb2.RecallUnitsResponse(receipt=answers.receipt(answer))

    async def LiftRecall(
        self, request: batches_pb2.LiftRecallRequest, _context: object
    ) -> batches_pb2.LiftRecallResponse:
        """Lift a recall."""
        command = commands.LiftRecall(
            request_id=request.request_id,
            occurred_at=requests.time_or_now(request),
            brand=request.brand,
            recall=request.recall,
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        return batches_pb2.LiftRecallResponse(receipt=answers.receipt(answer))
