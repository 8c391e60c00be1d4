"""KeyService: the keys of parties and of the operator."""

from pathbook.ledger.projections.keys import KeyRow
from pathbook.services.admission import Admission
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, receipts, requests
from pathbook.services.translate.pages import MAX_PAGE_SIZE, AfterNumber, Paging, cut
from pathbook.v1 import keys_pb2, keys_pb2_grpc


class KeyService(keys_pb2_grpc.KeyServiceServicer):
    """Each method translates its request to a command or query, and the answer to a message."""

    def __init__(self, gateway: Gateway, admission: Admission) -> None:
        self._gateway = gateway
        self._admission = admission

    async def RegisterKey(
        self, request: keys_pb2.RegisterKeyRequest, _context: object
    ) -> keys_pb2.RegisterKeyResponse:
        """Register a key."""
        command = await self._gateway.check(self._admission.key, request)
        answer = await self._gateway.write(request.book, command)
        return keys_pb2.RegisterKeyResponse(receipt=receipts.receipt(answer))

    async def RevokeKey(
        self, request: keys_pb2.RevokeKeyRequest, _context: object
    ) -> keys_pb2.RevokeKeyResponse:
        """Revoke a key."""
        command = await self._gateway.check(self._admission.revocation, request)
        answer = await self._gateway.write(request.book, command)
        return keys_pb2.RevokeKeyResponse(receipt=receipts.receipt(answer))

    async def ListKeys(
        self, request: keys_pb2.ListKeysRequest, _context: object
    ) -> keys_pb2.ListKeysResponse:
        """List the keys of a party, or of the operator."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber, default=MAX_PAGE_SIZE)

        def place(last: KeyRow) -> AfterNumber:
            return AfterNumber(last.position)

        def message(found: list[KeyRow]) -> keys_pb2.ListKeysResponse:
            rows = cut(found, page.limit)
            entries, token = page.page(rows.rows, rows.after(place), answers.key, place)
            return keys_pb2.ListKeysResponse(keys=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.keys,
            book,
            request.party,
            page.after.number,
            page.limit + 1,
        )
