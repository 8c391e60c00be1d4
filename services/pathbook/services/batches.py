"""BatchService: products, batches, codes, cases, recalls."""

from collections.abc import AsyncIterator

from pathbook.ledger.codec import register_commands, unit_commands
from pathbook.ledger.codec.requests import selected
from pathbook.ledger.events import BatchCommissioned, ProductRegistered
from pathbook.ledger.projections.registers import ProductRow
from pathbook.ledger.queries import Batch, Case, Listed
from pathbook.ledger.values import Unit
from pathbook.services.access.callers import current_caller
from pathbook.services.codes import messages, slices
from pathbook.services.drain import Drain
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, receipts, requests
from pathbook.services.translate.pages import MAX_PAGE_SIZE, AfterName, AfterNumber, AfterUnit, Paging, cut
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
        command = register_commands.register_product(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        event = answer.recorded.event
        assert isinstance(event, ProductRegistered)
        return batches_pb2.RegisterProductResponse(receipt=receipts.receipt(answer), gtin=event.product)

    async def CommissionBatch(
        self, request: batches_pb2.CommissionBatchRequest, _context: object
    ) -> batches_pb2.CommissionBatchResponse:
        """Commission a batch of units."""
        code_key = await self._gateway.run(self._gateway.codes.key_for_new_batch)
        command = register_commands.commission_batch(request, code_key)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        event = answer.recorded.event
        assert isinstance(event, BatchCommissioned)
        return batches_pb2.CommissionBatchResponse(receipt=receipts.receipt(answer), batch=event.batch)

    async def PackCase(
        self, request: batches_pb2.PackCaseRequest, _context: object
    ) -> batches_pb2.PackCaseResponse:
        """Pack a case."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        command = unit_commands.pack_case(request, units)
        answer = await self._gateway.write(book, command)
        return batches_pb2.PackCaseResponse(receipt=receipts.receipt(answer), ranges=receipts.chosen(answer))

    async def UnpackCase(
        self, request: batches_pb2.UnpackCaseRequest, _context: object
    ) -> batches_pb2.UnpackCaseResponse:
        """Unpack a case."""
        command = unit_commands.unpack_case(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return batches_pb2.UnpackCaseResponse(receipt=receipts.receipt(answer))

    async def RecallUnits(
        self, request: batches_pb2.RecallUnitsRequest, _context: object
    ) -> batches_pb2.RecallUnitsResponse:
        """Recall units."""
        command = unit_commands.recall_units(request, *requests.note(request))
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return batches_pb2.RecallUnitsResponse(receipt=receipts.receipt(answer))

    async def LiftRecall(
        self, request: batches_pb2.LiftRecallRequest, _context: object
    ) -> batches_pb2.LiftRecallResponse:
        """Lift a recall."""
        command = unit_commands.lift_recall(request)
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

        def place(last: ProductRow) -> AfterName:
            return AfterName(last.product)

        def message(found: list[ProductRow]) -> batches_pb2.ListProductsResponse:
            rows = cut(found, page.limit)
            entries, token = page.page(rows.rows, rows.after(place), answers.product, place)
            return batches_pb2.ListProductsResponse(products=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.products,
            book,
            page.after.name,
            page.limit + 1,
        )

    async def GetBatch(
        self, request: batches_pb2.GetBatchRequest, _context: object
    ) -> batches_pb2.GetBatchResponse:
        """Return a batch, found by its number or its lot, with a page of its recalls."""
        book, queries = requests.book_name(request.book), self._gateway.queries
        page = Paging(request, AfterNumber, default=MAX_PAGE_SIZE)
        at_least, after, limit = request.at_least_position, page.after.number, page.limit

        def message(found: Batch) -> batches_pb2.GetBatchResponse:
            rest = AfterNumber(found.recalls[-1].row.position) if found.goes_on else None
            entries, token = page.page(
                found.recalls, rest, answers.recall, lambda last: AfterNumber(last.row.position)
            )
            shown = answers.batch(found.row, entries, are_left_out=bool(after or token))
            return batches_pb2.GetBatchResponse(batch=shown, next_page_token=token)

        if request.batch:
            return await self._gateway.answer(
                at_least, message, queries.batch, book, request.batch, after, limit
            )
        gtin = requests.gtin(request.gtin)
        return await self._gateway.answer(
            at_least, message, queries.batch_of_lot, book, gtin, request.lot, after, limit
        )

    async def ListBatches(
        self, request: batches_pb2.ListBatchesRequest, _context: object
    ) -> batches_pb2.ListBatchesResponse:
        """List all batches, or those of a product."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber)
        gtin = requests.gtin(request.gtin) if request.gtin else None

        def message(found: Listed[Batch, int]) -> batches_pb2.ListBatchesResponse:
            rest = None if found.after is None else AfterNumber(found.after)
            entries, token = page.page(
                found.items, rest, answers.listed_batch, lambda last: AfterNumber(last.row.batch)
            )
            return batches_pb2.ListBatchesResponse(batches=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.batches,
            book,
            gtin,
            page.after.number,
            page.limit,
            brand=current_caller().seen_as,
        )

    async def ListCodes(
        self, request: batches_pb2.ListCodesRequest, _context: object
    ) -> AsyncIterator[batches_pb2.ListCodesResponse]:
        """Stream the codes of a range of units."""
        book, units = requests.book_name(request.book), requests.unit_range(request, "range")
        batch = await self._gateway.ask(
            request.at_least_position, self._gateway.codes.batch_holding, book, units
        )
        make = self._gateway.codes.serials
        for piece in messages(units):
            serials: list[str] = []
            for some in slices(piece):
                self._drain.check()
                serials += await self._gateway.slice(make, book, some, batch.code_key)
            yield batches_pb2.ListCodesResponse(
                first=piece.first, serials=serials, gtin=batch.product, lot=batch.lot
            )

    async def GetCase(
        self, request: batches_pb2.GetCaseRequest, _context: object
    ) -> batches_pb2.GetCaseResponse:
        """Return what a packed case holds, with a page of its ranges."""
        book, page = requests.book_name(request.book), Paging(request, AfterUnit, default=MAX_PAGE_SIZE)

        def message(found: Case) -> batches_pb2.GetCaseResponse:
            rest = None if found.rest is None else AfterUnit(found.rest.batch, found.rest.number)
            return answers.case(found, page.token(rest))

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.case,
            book,
            request.sscc,
            Unit(page.after.batch, page.after.number),
            page.limit,
        )
