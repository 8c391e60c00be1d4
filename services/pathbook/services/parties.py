"""PartyService: parties and their authorizations."""

from pathbook.ledger.codec import register_commands
from pathbook.ledger.queries import Listed, Party
from pathbook.services.access.callers import current_caller
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, receipts, requests
from pathbook.services.translate.pages import MAX_PAGE_SIZE, AfterName, AfterNumber, Paging
from pathbook.v1 import parties_pb2, parties_pb2_grpc


class PartyService(parties_pb2_grpc.PartyServiceServicer):
    """Each method translates its request to a command or query, and the answer to a message."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def RegisterParty(
        self, request: parties_pb2.RegisterPartyRequest, _context: object
    ) -> parties_pb2.RegisterPartyResponse:
        """Register a party."""
        command = register_commands.register_party(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return parties_pb2.RegisterPartyResponse(receipt=receipts.receipt(answer))

    async def AuthorizeParty(
        self, request: parties_pb2.AuthorizePartyRequest, _context: object
    ) -> parties_pb2.AuthorizePartyResponse:
        """Authorize a party."""
        command = register_commands.authorize_party(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return parties_pb2.AuthorizePartyResponse(receipt=receipts.receipt(answer))

    async def RevokeAuthorization(
        self, request: parties_pb2.RevokeAuthorizationRequest, _context: object
    ) -> parties_pb2.RevokeAuthorizationResponse:
        """End an authorization."""
        command = register_commands.revoke_authorization(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return parties_pb2.RevokeAuthorizationResponse(receipt=receipts.receipt(answer))

    async def GetParty(
        self, request: parties_pb2.GetPartyRequest, _context: object
    ) -> parties_pb2.GetPartyResponse:
        """Return a party, with a page of its authorizations."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber, default=MAX_PAGE_SIZE)
        after = page.after.number

        def message(found: Party) -> parties_pb2.GetPartyResponse:
            rest = AfterNumber(found.authorizations[-1].position) if found.goes_on else None
            entries, token = page.page(
                found.authorizations, rest, answers.authorization, lambda last: AfterNumber(last.position)
            )
            shown = answers.party(found.row, entries, are_left_out=bool(after or token))
            return parties_pb2.GetPartyResponse(party=shown, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.party,
            book,
            request.party,
            after,
            page.limit,
            own=current_caller().seen_as,
        )

    async def ListParties(
        self, request: parties_pb2.ListPartiesRequest, _context: object
    ) -> parties_pb2.ListPartiesResponse:
        """List the parties."""
        book, page = requests.book_name(request.book), Paging(request, AfterName)

        def message(found: Listed[Party, str]) -> parties_pb2.ListPartiesResponse:
            rest = None if found.after is None else AfterName(found.after)
            entries, token = page.page(
                found.items, rest, answers.listed_party, lambda last: AfterName(last.row.party)
            )
            return parties_pb2.ListPartiesResponse(parties=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.parties,
            book,
            page.after.name,
            page.limit,
        )
