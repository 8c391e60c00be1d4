"""PathService: paths of units, price ladders, stock, holders of batches."""

from pathbook.ledger.queries import Holder, Listed, Path, Reported, Rung, Step, Stock
from pathbook.ledger.queries.ladders import KeptLadders
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.reports.ladder import LADDER
from pathbook.ledger.values import Unit
from pathbook.services.gateway import Gateway, answered
from pathbook.services.translate import answers, requests
from pathbook.services.translate.pages import AS_MANY_AS_FIT, AfterNumber, AfterStep, Paging, cut
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import paths_pb2, paths_pb2_grpc


class PathService(paths_pb2_grpc.PathServiceServicer):
    """Each method translates its request to a query, asks the views, and translates the result to a message."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ladders = KeptLadders()

    async def GetPath(self, request: paths_pb2.GetPathRequest, _context: object) -> paths_pb2.GetPathResponse:
        """Return the path of a unit, with a page of its steps. All pages are as of the position of the first one."""
        book, page = requests.book_name(request.book), Paging(request, AfterStep, default=AS_MANY_AS_FIT)
        gateway, corrections = self._gateway, request.corrections
        as_of = page.after.as_of or requests.position(request.as_of_position, "as_of_position")
        at_least = max(as_of, requests.position(request.at_least_position, "at_least_position"))

        def message(found: Path, serial: str) -> paths_pb2.GetPathResponse:
            def place(last: Step) -> AfterStep:
                return AfterStep(last.position, found.as_of_position)

            rows = cut([step for step in found.steps if step.position > page.after.position], page.limit)
            entries, token = page.page(rows.rows, rows.after(place), answers.step, place)
            return answers.path(found, serial, entries, token)

        match request.WhichOneof("subject"):
            case "code":
                by_code = answered(gateway.codes.path, lambda found: message(found[1], found[0].serial))
                return await gateway.ask_by_code(
                    at_least, by_code, book, request.code, as_of, corrections=corrections
                )
            case "unit":  # the caller gets no serial, because a read makes no code
                unit = Unit(request.unit.batch, request.unit.number)
                by_number = answered(gateway.queries.path, lambda found: message(found, ""))
                return await gateway.ask(at_least, by_number, book, unit, as_of, corrections=corrections)
            case _:
                raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="subject"))

    async def GetLadder(
        self, request: paths_pb2.GetLadderRequest, _context: object
    ) -> paths_pb2.GetLadderResponse:
        """Return what each tier paid for a batch or a product."""
        found = await self._rungs(requests.book_name(request.book), request)
        return paths_pb2.GetLadderResponse(rungs=map(answers.rung, found.items), position=found.position)

    async def _rungs(self, book: str, request: paths_pb2.GetLadderRequest) -> Reported[Rung]:
        at_least, ask = request.at_least_position, self._gateway.ask_report
        match request.WhichOneof("subject"):
            case "batch":
                return await ask(LADDER, at_least, self._ladders.of_batch, book, request.batch)
            case "gtin":
                gtin = requests.gtin(request.gtin)
                return await ask(LADDER, at_least, self._ladders.of_product, book, gtin)
            case _:
                raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="subject"))

    async def ListStock(
        self, request: paths_pb2.ListStockRequest, _context: object
    ) -> paths_pb2.ListStockResponse:
        """List the stock of a party, batch by batch."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber)

        def message(found: Listed[Stock, int]) -> paths_pb2.ListStockResponse:
            rest = None if found.after is None else AfterNumber(found.after)
            entries, token = page.page(
                found.items, rest, answers.stock, lambda last: AfterNumber(last.row.batch.batch)
            )
            return paths_pb2.ListStockResponse(stock=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.stock,
            book,
            request.party,
            page.after.number,
            page.limit,
        )

    async def ListHolders(
        self, request: paths_pb2.ListHoldersRequest, _context: object
    ) -> paths_pb2.ListHoldersResponse:
        """List the holders of a batch, in the order of its units."""
        requests.bounded(len(request.ranges))
        page = Paging(request, AfterNumber)
        book, ranges = requests.book_name(request.book), requests.ranges(request.ranges)
        at_least, queries = request.at_least_position, self._gateway.queries
        first, limit = page.after.number, page.limit

        def message(found: Listed[Holder, int]) -> paths_pb2.ListHoldersResponse:
            rest = None if found.after is None else AfterNumber(found.after)
            entries, token = page.page(
                found.items, rest, answers.holder, lambda last: AfterNumber(last.range.last + 1)
            )
            return paths_pb2.ListHoldersResponse(holders=entries, next_page_token=token)

        if request.batch:
            return await self._gateway.answer(
                at_least, message, queries.holders, book, request.batch, ranges, first, limit
            )
        gtin = requests.gtin(request.gtin)
        return await self._gateway.answer(
            at_least, message, queries.holders_of_lot, book, gtin, request.lot, ranges, first, limit
        )
