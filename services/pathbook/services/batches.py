"""BatchService: products, batches, codes, cases, recalls."""

from collections.abc import AsyncIterator

from pathbook.ledger import commands
from pathbook.ledger.events import BatchCommissioned, ProductRegistered
from pathbook.services.codes import pieces
from pathbook.services.drain import Drain
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, receipts, registrations, requests
from pathbook.services.translate.pages import AfterName, AfterNumber, Paging, cut
from pathbook.v1 import batches_pb2, batches_pb2_grpc


class BatchService(batches_pb2_grpc.BatchServiceServicer):
    """Each method translates its request to a command or query, and the answer to a message."""

    def __init__(self, gateway: Gateway, drain: Drain) -> None:
        self._gateway = gateway
        self._drain = drain

    async def RegisterProduct(
        self, request: batches_pb2.RegisterProductRequest, _context: object
    ) -> batches_pb2.RegisterProductResponse:
        """Register a product."""
        command = registrations.product(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        event = answer.recorded.event
        assert isinstance(event, ProductRegistered)
        return batches_pb2.RegisterProductResponse(receipt=receipts.receipt(answer), gtin=event.product)

    async def CommissionBatch(
        self, request: batches_pb2.CommissionBatchRequest, _context: object
    ) -> batches_pb2.CommissionBatchResponse:
        """Commission a batch of units."""
        code_key = await self._gateway.run(self._gateway.codes.key_for_new_batch)
        command = registrations.batch(request, code_key)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        event = answer.recorded.event
        assert isinstance(event, BatchCommissioned)
        return batches_pb2.CommissionBatchResponse(receipt=receipts.receipt(answer), batch=event.batch)

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
            units=await self._gateway.selection(book, requests.selected(request)),
        )
        answer = await self._gateway.write(book, command)
        return batches_pb2.PackCaseResponse(receipt=receipts.receipt(answer), ranges=receipts.chosen(answer))

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
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return batches_pb2.UnpackCaseResponse(receipt=receipts.receipt(answer))

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
            note_salt=requests.note_salt(request.note),
        )
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return batches_pb2.RecallUnitsResponse(receipt=receipts.receipt(answer))

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
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return batches_pb2.LiftRecallResponse(receipt=receipts.receipt(answer))

    async def GetProduct(
        self, request: batches_pb2.GetProductRequest, _context: object
    ) -> batches_pb2.GetProductResponse:
        """Return a product."""
        book, gtin = requests.book_name(request.book), requests.gtin(request.gtin)
        found = await self._gateway.ask(request.at_least_position, self._gateway.queries.product, book, gtin)
        return batches_pb2.GetProductResponse(product=answers.product(found))

    async def ListProducts(
        self, request: batches_pb2.ListProductsRequest, _context: object
    ) -> batches_pb2.ListProductsResponse:
        """List the products."""
        book, page = requests.book_name(request.book), Paging(request, AfterName)
        found = await self._gateway.ask(
            request.at_least_position, self._gateway.queries.products, book, page.after.name, page.limit + 1
        )
        products = cut(found, page.limit)
        return batches_pb2.ListProductsResponse(
            products=map(answers.product, products.rows),
            next_page_token=page.token(products.after(lambda last: AfterName(last.product))),
        )

    async def GetBatch(
        self, request: batches_pb2.GetBatchRequest, _context: object
    ) -> batches_pb2.GetBatchResponse:
        """Return a batch, found by its number or its lot."""
        book, queries = requests.book_name(request.book), self._gateway.queries
        found = await (
            self._gateway.ask(request.at_least_position, queries.batch, book, request.batch)
            if request.batch
            else self._gateway.ask(
                request.at_least_position,
                queries.batch_of_lot,
                book,
                requests.gtin(request.gtin),
                request.lot,
            )
        )
        return batches_pb2.GetBatchResponse(batch=answers.batch(found.row, found.recalls))

    async def ListBatches(
        self, request: batches_pb2.ListBatchesRequest, _context: object
    ) -> batches_pb2.ListBatchesResponse:
        """List all batches, or those of a product."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber)
        gtin = requests.gtin(request.gtin) if request.gtin else None
        found = await self._gateway.ask(
            request.at_least_position,
            self._gateway.queries.batches,
            book,
            gtin,
            page.after.number,
            page.limit,
        )
        return batches_pb2.ListBatchesResponse(
            batches=[answers.batch(item.row, item.recalls) for item in found.items],
            next_page_token=page.token(None if found.after is None else AfterNumber(found.after)),
        )

    async def ListCodes(
        self, request: batches_pb2.ListCodesRequest, _context: object
    ) -> AsyncIterator[batches_pb2.ListCodesResponse]:
        """Stream the codes of a range of units."""
        book, units = requests.book_name(request.book), requests.unit_range(request, "range")
        batch = await self._gateway.ask(
            request.at_least_position, self._gateway.codes.batch_holding, book, units
        )
        for piece in pieces(units):
            self._drain.check()
            yield batches_pb2.ListCodesResponse(
                first=piece.first,
                serials=await self._gateway.run(self._gateway.codes.serials, book, piece, batch.row.code_key),
                gtin=batch.row.product,
                lot=batch.row.lot,
            )

    async def GetCase(
        self, request: batches_pb2.GetCaseRequest, _context: object
    ) -> batches_pb2.GetCaseResponse:
        """Return what a packed case holds."""
        book = requests.book_name(request.book)
        found = await self._gateway.ask(
            request.at_least_position, self._gateway.queries.case, book, request.sscc
        )
        return answers.case(found)
