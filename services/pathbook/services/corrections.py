"""CorrectionService: declarations of errors, and corrections of products, batches and parties."""

from pathbook.ledger.codec import register_commands
from pathbook.ledger.queries import Correction
from pathbook.ledger.queries.corrections import OfBatch, OfEvent, OfParty, OfProduct, Subject
from pathbook.ledger.refusals import Reason, refuse
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, receipts, requests
from pathbook.services.translate.pages import AfterNumber, Paging, cut
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import corrections_pb2, corrections_pb2_grpc


class CorrectionService(corrections_pb2_grpc.CorrectionServiceServicer):
    """Each method translates its request to a command or query, and the answer to a message."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def DeclareError(
        self, request: corrections_pb2.DeclareErrorRequest, _context: object
    ) -> corrections_pb2.DeclareErrorResponse:
        """Declare that an event was an error."""
        requests.position(request.position, "position")
        command = register_commands.declare_error(request, *requests.note(request))
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return corrections_pb2.DeclareErrorResponse(receipt=receipts.receipt(answer))

    async def CorrectProduct(
        self, request: corrections_pb2.CorrectProductRequest, _context: object
    ) -> corrections_pb2.CorrectProductResponse:
        """Correct a product."""
        command = register_commands.correct_product(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return corrections_pb2.CorrectProductResponse(receipt=receipts.receipt(answer))

    async def CorrectBatch(
        self, request: corrections_pb2.CorrectBatchRequest, _context: object
    ) -> corrections_pb2.CorrectBatchResponse:
        """Correct a batch."""
        command = register_commands.correct_batch(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return corrections_pb2.CorrectBatchResponse(receipt=receipts.receipt(answer))

    async def CorrectParty(
        self, request: corrections_pb2.CorrectPartyRequest, _context: object
    ) -> corrections_pb2.CorrectPartyResponse:
        """Correct a party."""
        command = register_commands.correct_party(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return corrections_pb2.CorrectPartyResponse(receipt=receipts.receipt(answer))

    async def ListCorrections(
        self, request: corrections_pb2.ListCorrectionsRequest, _context: object
    ) -> corrections_pb2.ListCorrectionsResponse:
        """List the corrections of an event, a product, a batch or a party."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber)
        subject = await self._subject(book, request)

        def place(last: Correction) -> AfterNumber:
            return AfterNumber(last.position)

        def message(found: list[Correction]) -> corrections_pb2.ListCorrectionsResponse:
            rows = cut(found, page.limit)
            entries, token = page.page(rows.rows, rows.after(place), answers.correction, place)
            return corrections_pb2.ListCorrectionsResponse(corrections=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.corrections,
            book,
            subject,
            page.after.number,
            page.limit + 1,
        )

    async def _subject(self, book: str, request: corrections_pb2.ListCorrectionsRequest) -> Subject:
        match request.WhichOneof("subject"):
            case "position":
                position = requests.position(request.position, "position")
                return OfEvent(requests.within(book, position, await self._gateway.head(book)))
            case "gtin":
                return OfProduct(requests.gtin(request.gtin))
            case "batch":
                return OfBatch(request.batch)
            case "party":
                return OfParty(request.party)
            case _:
                raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="subject"))
