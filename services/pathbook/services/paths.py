"""PathService: paths of units, price ladders, stock, holders of batches."""

from pathbook.ledger.queries import Holder, Listed, Reported, Rung
from pathbook.ledger.queries.ladders import ladder_of_batch, ladder_of_product
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.reports.ladder import LADDER
from pathbook.ledger.values import Unit
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, requests
from pathbook.services.translate.pages import AfterNumber, Paging
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import paths_pb2, paths_pb2_grpc


class PathService(paths_pb2_grpc.PathServiceServicer):
    """Each method translates its request to a query, asks the views, and translates the result to a message."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def GetPath(self, request: paths_pb2.GetPathRequest, _context: object) -> paths_pb2.GetPathResponse:
        """Return the path of a unit."""
        book, gateway, corrections = requests.book_name(request.book), self._gateway, request.corrections
        as_of = requests.position(request.as_of_position, "as_of_position")
        at_least = max(as_of, requests.position(request.at_least_position, "at_least_position"))
        match request.WhichOneof("subject"):
            case "code":
                code, found = await gateway.ask_by_code(
                    at_least, gateway.codes.path, book, request.code, as_of, corrections=corrections
                )
                return answers.path(found, code.serial)
            case "unit":  # the caller gets no serial, because a read makes no code
                unit = Unit(request.unit.batch, request.unit.number)
                path = await gateway.ask(
                    at_least, gateway.queries.path, book, unit, as_of, corrections=corrections
                )
                return answers.path(path, "")
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
                return await ask(LADDER, at_least, ladder_of_batch, book, request.batch)
            case "gtin":
                gtin = requests.gtin(request.gtin)
                return await ask(LADDER, at_least, ladder_of_product, book, gtin)
            case _:
                raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="subject"))

    async def ListStock(
        self, request: paths_pb2.ListStockRequest, _context: object
    ) -> paths_pb2.ListStockResponse:
        """List the stock of a party, batch by batch."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber)
        found = await self._gateway.ask(
            request.at_least_position,
            self._gateway.queries.stock,
            book,
            request.party,
            page.after.number,
            page.limit,
        )
        return paths_pb2.ListStockResponse(
            stock=map(answers.stock, found.items),
            next_page_token=page.token(None if found.after is None else AfterNumber(found.after)),
        )

    async def ListHolders(
        self, request: paths_pb2.ListHoldersRequest, _context: object
    ) -> paths_pb2.ListHoldersResponse:
        """List the holders of a batch, in the order of its units."""
        requests.bounded(len(request.ranges))
        page = Paging(request, AfterNumber)
        found = await self._holders(request, page.after.number, page.limit)
        return paths_pb2.ListHoldersResponse(
            holders=map(answers.holder, found.items),
            next_page_token=page.token(None if found.after is None else AfterNumber(found.after)),
        )

    async def _holders(
        self, request: paths_pb2.ListHoldersRequest, first: int, limit: int
    ) -> Listed[Holder, int]:
        book, ranges = requests.book_name(request.book), requests.ranges(request.ranges)
        at_least, queries = request.at_least_position, self._gateway.queries
        if request.batch:
            return await self._gateway.ask(
                at_least, queries.holders, book, request.batch, ranges, first, limit
            )
        gtin = requests.gtin(request.gtin)
        return await self._gateway.ask(
            at_least, queries.holders_of_lot, book, gtin, request.lot, ranges, first, limit
        )
