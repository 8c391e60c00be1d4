"""PartyService: parties and their authorizations."""

from pathbook.ledger import commands
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, receipts, registrations, requests
from pathbook.services.translate.pages import AfterName, Paging
from pathbook.v1 import parties_pb2, parties_pb2_grpc


class PartyService(parties_pb2_grpc.PartyServiceServicer):
    """Each method translates its request to a command or query, and the answer to a message."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def RegisterParty(
        self, request: parties_pb2.RegisterPartyRequest, _context: object
    ) -> parties_pb2.RegisterPartyResponse:
        """Register a party."""
        command = registrations.party(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return parties_pb2.RegisterPartyResponse(receipt=receipts.receipt(answer))

    async def AuthorizeParty(
        self, request: parties_pb2.AuthorizePartyRequest, _context: object
    ) -> parties_pb2.AuthorizePartyResponse:
        """Authorize a party."""
        command = registrations.authorization(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return parties_pb2.AuthorizePartyResponse(receipt=receipts.receipt(answer))

    async def RevokeAuthorization(
        self, request: parties_pb2.RevokeAuthorizationRequest, _context: object
    ) -> parties_pb2.RevokeAuthorizationResponse:
        """End an authorization."""
        command = commands.RevokeAuthorization(
            request_id=request.request_id,
            upline=request.upline,
            authorization=request.authorization,
            revoked_from=requests.time_or_now(request, "revoked_from"),
        )
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return parties_pb2.RevokeAuthorizationResponse(receipt=receipts.receipt(answer))

    async def GetParty(
        self, request: parties_pb2.GetPartyRequest, _context: object
    ) -> parties_pb2.GetPartyResponse:
        """Return a party."""
        book = requests.book_name(request.book)
        found = await self._gateway.ask(
            request.at_least_position, self._gateway.queries.party, book, request.party
        )
        return parties_pb2.GetPartyResponse(party=answers.party(found.row, found.authorizations))

    async def ListParties(
        self, request: parties_pb2.ListPartiesRequest, _context: object
    ) -> parties_pb2.ListPartiesResponse:
        """List the parties."""
        book, page = requests.book_name(request.book), Paging(request, AfterName)
        found = await self._gateway.ask(
            request.at_least_position, self._gateway.queries.parties, book, page.after.name, page.limit
        )
        return parties_pb2.ListPartiesResponse(
            parties=[answers.party(item.row, item.authorizations) for item in found.items],
            next_page_token=page.token(None if found.after is None else AfterName(found.after)),
        )
