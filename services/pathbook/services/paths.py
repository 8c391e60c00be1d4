"""PathService: paths of units, stock, holders of batches."""

from pathbook.ledger.codec.requests import bounded
from pathbook.ledger.codec.requests import ranges as unit_ranges
from pathbook.ledger.queries import Holder, Listed, Path, Step, Stock
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.values import Unit
from pathbook.services.access.callers import current_caller
from pathbook.services.access.seeing import Sight
from pathbook.services.gateway import Gateway, answered
from pathbook.services.translate import answers, requests
from pathbook.services.translate.pages import AS_MANY_AS_FIT, AfterNumber, AfterStep, Paging, cut
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.services.verification_log import VerificationLog
from pathbook.v1 import paths_pb2, paths_pb2_grpc


class PathService(paths_pb2_grpc.PathServiceServicer):
    """Each method translates its request to a query, asks the views, and translates the result to a message."""

    def __init__(self, gateway: Gateway, sight: Sight, verification_log: VerificationLog) -> None:
        self._gateway, self._sight, self._verification_log = gateway, sight, verification_log

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
            steps = gateway.queries.with_events(book, rows.rows) if request.whole_events else rows.rows
            entries, token = page.page(steps, rows.after(place), answers.step, place)
            return answers.path(found, serial, entries, token)

        match request.WhichOneof("subject"):
            case "code":
                by_code = answered(gateway.codes.path, lambda found: message(found[1], found[0].serial))
                made = await gateway.verified(
                    gateway.ask_by_code(at_least, by_code, book, request.code, as_of, corrections=corrections)
                )
                if not request.page_token:  # further pages are of the same verification
                    self._verification_log.note(book, made.unit.batch, made.unit.number)
                return made
            case "unit":  # the caller gets no serial, because a read makes no code
                unit = Unit(request.unit.batch, request.unit.number)
                as_of = await self._sight.as_of(current_caller(), book, unit, as_of, at_least)
                by_number = answered(gateway.queries.path, lambda found: message(found, ""))
                return await gateway.ask(at_least, by_number, book, unit, as_of, corrections=corrections)
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
            brand=current_caller().brand_beside(request.party),
        )

    async def ListHolders(
        self, request: paths_pb2.ListHoldersRequest, _context: object
    ) -> paths_pb2.ListHoldersResponse:
        """List the holders of a batch, in the order of its units."""
        bounded(len(request.ranges))
        page = Paging(request, AfterNumber)
        book, ranges = requests.book_name(request.book), unit_ranges(request.ranges)
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
