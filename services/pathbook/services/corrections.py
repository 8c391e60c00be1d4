"""CorrectionService: declarations of errors, and corrections of products, batches and parties."""

from pathbook.ledger import commands
from pathbook.ledger.queries import Correction
from pathbook.ledger.queries.corrections import OfBatch, OfEvent, OfParty, OfProduct, Subject
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.values import PartyKind
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
        command = commands.DeclareError(
            request_id=request.request_id,
            party=request.party,
            position=requests.position(request.position, "position"),
            note=request.note,
            note_salt=requests.note_salt(request.note),
        )
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return corrections_pb2.DeclareErrorResponse(receipt=receipts.receipt(answer))

    async def CorrectProduct(
        self, request: corrections_pb2.CorrectProductRequest, _context: object
    ) -> corrections_pb2.CorrectProductResponse:
        """Correct a product."""
        command = commands.CorrectProduct(
            request_id=request.request_id,
            brand=request.brand,
            product=request.gtin,
            name=request.name,
            suggested_price=requests.price_or_none(request, "suggested_price"),
        )
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return corrections_pb2.CorrectProductResponse(receipt=receipts.receipt(answer))

    async def CorrectBatch(
        self, request: corrections_pb2.CorrectBatchRequest, _context: object
    ) -> corrections_pb2.CorrectBatchResponse:
        """Correct a batch."""
        command = commands.CorrectBatch(
            request_id=request.request_id,
            brand=request.brand,
            batch=request.batch,
            made_on=requests.date_or_none(request.made_on, "made_on"),
            expires_on=requests.date_or_none(request.expires_on, "expires_on"),
            never_expires=request.never_expires,
            suggested_price=requests.price_or_none(request, "suggested_price"),
        )
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return corrections_pb2.CorrectBatchResponse(receipt=receipts.receipt(answer))

    async def CorrectParty(
        self, request: corrections_pb2.CorrectPartyRequest, _context: object
    ) -> corrections_pb2.CorrectPartyResponse:
        """Correct a party."""
        command = commands.CorrectParty(
            request_id=request.request_id,
            party=request.party,
            kind=requests.enum_value_or_none(request.kind, PartyKind, "kind"),
        )
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
