"""TokenService: API tokens are made, listed and revoked, by operators."""

from typing import Final

from pathbook.ledger.projections.registers import PartyRow
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.store.log.api_tokens import ApiToken, ApiTokens
from pathbook.ledger.values import PartyKind
from pathbook.services.access.callers import OF_A_PARTY, Role, current_caller
from pathbook.services.access.tokens import new_token
from pathbook.services.clock import now
from pathbook.services.gateway import Gateway
from pathbook.services.translate import requests
from pathbook.services.translate.pages import AfterName, Paging, cut
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed
from pathbook.services.translate.times import DAY_US
from pathbook.services.translate.values import timestamp
from pathbook.v1 import tokens_pb2, tokens_pb2_grpc

DEFAULT_DAYS: Final = 90
MAX_DAYS: Final = 3_650
MAX_LABEL: Final = 100
MAX_CERTIFICATE: Final = 255

_ROLES: Final = {
    tokens_pb2.TOKEN_ROLE_PARTY: Role.PARTY,
    tokens_pb2.TOKEN_ROLE_BRAND: Role.BRAND,
    tokens_pb2.TOKEN_ROLE_AUDITOR: Role.AUDITOR,
    tokens_pb2.TOKEN_ROLE_OPERATOR: Role.OPERATOR,
}
_NUMBERS: Final = {role.value: number for number, role in _ROLES.items()}


class TokenService(tokens_pb2_grpc.TokenServiceServicer):
    """Makes tokens of which only a hash is kept. An operator of one book sees and makes tokens of this book only."""

    def __init__(self, gateway: Gateway, tokens: ApiTokens) -> None:
        self._gateway, self._tokens = gateway, tokens

    async def CreateToken(
        self, request: tokens_pb2.CreateTokenRequest, _context: object
    ) -> tokens_pb2.CreateTokenResponse:
        """Make a token."""
        role = _ROLES.get(request.role)
        if role is None:
            raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="role"))
        book = _own_book(request.book)
        if role in OF_A_PARTY:
            await self._require_party(requests.book_name(request.book), request.party, role)
        elif request.party:
            raise failed(Failure.TOKEN_OF_NO_PARTY, role=role.value)
        if book:
            await self._gateway.head(requests.book_name(book))
        if not 0 <= request.days <= MAX_DAYS:
            raise failed(Failure.TOKEN_TOO_LONG, days=request.days, limit=MAX_DAYS)
        for field, text, limit in (
            ("label", request.label, MAX_LABEL),
            ("certificate", request.certificate, MAX_CERTIFICATE),
        ):
            if (length := len(text)) > limit:
                raise RefusedCallError(refuse(Reason.TEXT_TOO_LONG, field=field, length=length, limit=limit))
        made, made_at = new_token(), now()
        kept = ApiToken(
            made.token,
            b"" if request.certificate else made.secret_hash,
            role.value,
            book,
            request.party,
            request.label,
            request.certificate,
            made_at,
            made_at + (request.days or DEFAULT_DAYS) * DAY_US,
        )
        await self._gateway.run(self._tokens.add, kept)
        return tokens_pb2.CreateTokenResponse(token=_shown(kept), text="" if kept.certificate else made.text)

    async def ListTokens(
        self, request: tokens_pb2.ListTokensRequest, _context: object
    ) -> tokens_pb2.ListTokensResponse:
        """List tokens."""
        page = Paging(request, AfterName)
        book = _own_book(request.book) or None
        found = await self._gateway.run(self._tokens.page, book, page.after.name, page.limit + 1)
        rows = cut(found, page.limit)
        entries, token = page.page(rows.rows, rows.after(_by_id), _shown, _by_id)
        return tokens_pb2.ListTokensResponse(tokens=entries, next_page_token=token)

    async def RevokeToken(
        self, request: tokens_pb2.RevokeTokenRequest, _context: object
    ) -> tokens_pb2.RevokeTokenResponse:
        """Revoke a token."""
        found = await self._gateway.run(self._tokens.find, request.token)
        if found is None or current_caller().book not in ("", found.book):
            raise failed(Failure.TOKEN_MISSING, token=request.token[:100])
        await self._gateway.run(self._tokens.revoke, found.token, now())
        revoked = await self._gateway.run(self._tokens.find, found.token)
        assert revoked is not None, found.token
        return tokens_pb2.RevokeTokenResponse(token=_shown(revoked))

    async def _require_party(self, book: str, party: str, role: Role) -> None:
        """Refuse a token of a party that is not registered, or of a brand that is none."""
        if not party:
            raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="party"))
        head = await self._gateway.head(book)
        found = await self._gateway.ask(head, self._gateway.queries.party, book, party)
        if role is Role.BRAND and not _is_brand(found.row):
            raise RefusedCallError(refuse(Reason.NOT_A_BRAND, party=party))


def _is_brand(row: PartyRow) -> bool:
    return row.kind == PartyKind.BRAND


def _own_book(book: str) -> str:
    """Return the book that a request names. Raises CallFailedError if that is not for the operator who asks."""
    own = current_caller().book
    if own and book != own:
        raise failed(
            Failure.ROLE_NOT_ALLOWED, what=f"What is not of book '{own}'", role="operator of one book"
        )
    return book


def _by_id(last: ApiToken) -> AfterName:
    return AfterName(last.token)


def _shown(kept: ApiToken) -> tokens_pb2.Token:
    return tokens_pb2.Token(
        token=kept.token,
        role=_NUMBERS[kept.role],
        book=kept.book,
        party=kept.party,
        label=kept.label,
        certificate=kept.certificate,
        made_at=timestamp(kept.made_at),
        expires_at=timestamp(kept.expires_at) if kept.expires_at else None,
        revoked_at=timestamp(kept.revoked_at) if kept.revoked_at else None,
    )
