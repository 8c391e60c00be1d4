"""PartyService: parties and their authorisations."""

from ledger import commands
from ledger.values import PartyKind
from pathbook.v1 import parties_pb2, parties_pb2_grpc
from services import answers, requests
from services.doors import Doors


class PartyService(parties_pb2_grpc.PartyServiceServicer):
    """Each method says in the ledger's words what is asked, asks the book, and answers in messages."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def RegisterParty(
        self, request: parties_pb2.RegisterPartyRequest, _context: object
    ) -> parties_pb2.RegisterPartyResponse:
        """Register a party."""
        command = commands.RegisterParty(
            request_id=request.request_id,
            party=request.party,
            kind=requests.word_or_none(request.kind, PartyKind, "kind"),
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        return parties_pb2.RegisterPartyResponse(receipt=answers.receipt(answer))

    async def AuthorizeParty(
        self, request: parties_pb2.AuthorizePartyRequest, _context: object
    ) -> parties_pb2.AuthorizePartyResponse:
        """Authorise a party."""
        command = commands.AuthorizeParty(
            request_id=request.request_id,
            upline=request.upline,
            party=request.party,
            tier=request.tier,
            products=tuple(request.gtins),
            region=request.region,
            valid_from=requests.time_or_now(request, "valid_from"),
            valid_until=requests.time_or_none(request, "valid_until"),
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        return parties_pb2.AuthorizePartyResponse(receipt=answers.receipt(answer))

    async def RevokeAuthorization(
        self, request: parties_pb2.RevokeAuthorizationRequest, _context: object
    ) -> parties_pb2.RevokeAuthorizationResponse:
        """End an authorisation."""
        command = commands.RevokeAuthorization(
            request_id=request.request_id,
            upline=request.upline,
            authorization=request.authorization,
            revoked_from=requests.time_or_now(request, "revoked_from"),
        )
        answer = await self._doors.write(requests.book_name(request.book), command)
        return parties_pb2.RevokeAuthorizationResponse(receipt=answers.receipt(answer))
