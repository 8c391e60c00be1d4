"""Access control around a call: who calls, whether the method is granted, and what of the answer the caller gets.

It is judged before the rule decides, and refusals are told so that they say nothing of what is another's.
"""

import asyncio
import contextlib
import hmac
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from google.protobuf.message import Message

from pathbook.ledger.codec.statements import MalformedStatementError, read_statement
from pathbook.ledger.refusals import Reason, Refusal, RefusedRequestError
from pathbook.ledger.values import is_consumer
from pathbook.services.access.access_log import AccessLog
from pathbook.services.access.acting import require_itself, require_own_key
from pathbook.services.access.callers import ANY_CALLER, PUBLIC, Caller, Role, set_current_caller
from pathbook.services.access.known_tokens import KnownTokens, until
from pathbook.services.access.masking import EVEN_S, TOLD_EVENLY, masked
from pathbook.services.access.seeing import Sight
from pathbook.services.access.table import EVERY_BOOK, MOVING, ROWS, Grant
from pathbook.services.clock import MICROSECONDS, now
from pathbook.services.translate.statuses import CallFailedError, Failure, RefusedCallError, failed
from pathbook.v1.keys_pb2 import RegisterKeyRequest
from pathbook.v1.refusals_pb2 import RefusalReason
from pathbook.v1.registrations_pb2 import RegisterResponse, RegisterResult
from pathbook.v1.statements_pb2 import (
    FileStatementRequest,
    FileStatementsRequest,
    FileStatementsResponse,
    FileStatementsResult,
)
from pathbook.v1.transfers_pb2 import (
    RecordTransfersResponse,
    RecordTransfersResult,
    RefusedEntry,
    ReturnUnitsRequest,
)

if TYPE_CHECKING:  # loaded by a server that has an issuer
    from pathbook.services.access.web_tokens import WebTokens

HEADER: Final = "authorization"
"""The metadata of a call that has the token, as `Bearer TOKEN` (RFC 6750, section 2.1)."""

BEARER: Final = "bearer "

WEB_TOKEN_DOTS: Final = 2
"""The dots in a JSON Web Token (RFC 7515, section 7.1). An API token has one."""

MOVED_BY: Final = {
    method.partition(".")[2]: Reason.UNITS_NOT_OWNED for method in (*MOVING, "TransferService.ResolveUnits")
} | dict.fromkeys(("DeliverUnits", "WriteOffUnits", "PackCase", "UnpackCase"), Reason.UNITS_NOT_IN_CUSTODY)
"""The methods that name units to move, and what they say of units that the party cannot move: its owner moves them, or
its custodian."""

NAMES: Final = ("peer_spiffe_id", "x509_subject")
"""The names in a client certificate, as gRPC calls them: its SPIFFE id, and its subject (RFC 4514)."""

Answer = TypeVar("Answer")
Certified = Mapping[str, Iterable[bytes]]
Metadata = Sequence[tuple[str, str | bytes]]


class Admission(msgspec.Struct, frozen=True):
    """A request that may be answered: who asks, in its book, how much of the method it gets, and what it asks."""

    method: str
    caller: Caller
    grant: Grant
    request: Message


COARSE_S: Final = 0.002
"""How much too early the event loop is woken, because it rounds waits up to milliseconds. What a refusal took would
show in that. A thread waits for the rest, in microseconds."""


class AccessControl:
    """Judges the calls of one server. An open server has no tokens, and grants every caller everything.

    Who sends ``own_token`` is granted everything, too: the program that runs the server.
    """

    def __init__(
        self,
        sight: Sight,
        tokens: KnownTokens | None,
        web_tokens: "WebTokens | None" = None,
        own_token: str = "",
        access_log: AccessLog | None = None,
    ) -> None:
        self._access_log = access_log
        self._sight, self._tokens, self._web_tokens = sight, tokens, web_tokens
        self._own_token = own_token.encode("ascii")
        self.is_open = tokens is None and not own_token

    async def caller(
        self, metadata: Metadata, certificate: Callable[[], Certified], count: Callable[[], None]
    ) -> Caller:
        """Return who calls. A token is asked first, and then the certificate of the connection.

        Args:
            metadata: of the call.
            certificate: returns what gRPC says of the other end of the connection.
            count: is called before a token is looked up or verified that this process does not know. It may raise.

        Raises:
            CallFailedError: a token does not count.
        """
        if self.is_open:
            return ANY_CALLER
        for name, value in metadata:
            if name == HEADER:
                text = value if isinstance(value, str) else value.decode("ascii", "replace")
                if text[: len(BEARER)].lower() != BEARER:
                    raise failed(Failure.TOKEN_UNKNOWN)
                bearer = text[len(BEARER) :].strip()
                if self._own_token and hmac.compare_digest(bearer.encode(), self._own_token):
                    return ANY_CALLER
                if self._tokens is None:
                    raise failed(Failure.TOKEN_UNKNOWN)
                if self._web_tokens is not None and bearer.count(".") == WEB_TOKEN_DOTS:
                    return await self._web_tokens.caller(bearer, count)
                return await self._tokens.caller(bearer, count)
        if self._tokens is None:
            return PUBLIC
        names = [name.decode("utf-8", "replace") for key in NAMES for name in certificate().get(key, ())]
        return (self._tokens.caller_of_certificate(names) if names else None) or PUBLIC

    def require_grant(self, method: str, caller: Caller) -> None:
        """Refuse a stream of requests, before the first one, to a caller whom no book grants anything of its method.

        Raises:
            CallFailedError: it would get nothing.
        """
        row = ROWS[method]
        roles = (
            caller.role,
            *(other.role for other in caller.others),
            Role.PUBLIC,
        )  # as it is in other books
        if not self.is_open and all(row.grant(role) is Grant.NO for role in roles):
            raise _refused(method, caller.role)

    async def admit(self, method: str, caller: Caller, request: Message) -> Admission:
        """Judge a request before its method runs, and return the admission. From then on it is the current caller.

        Args:
            method: Service.Method.
            caller: who calls.
            request: the request, or one of a stream of them.

        Raises:
            CallFailedError: the caller may not ask that.
        """
        if self.is_open:
            set_current_caller(caller)
            return Admission(method, caller, Grant.ALL, request)
        asked = caller.within(str(getattr(request, "book", "")) or caller.book)
        grant = ROWS[method].grant(asked.role)
        if grant is Grant.NO or (method in EVERY_BOOK and asked.book):
            raise _refused(method, asked.role)
        if grant is Grant.OWN and ROWS[method].acts:
            if isinstance(request, ReturnUnitsRequest) and is_consumer(request.owner):
                await self._sight.require_sold(asked, request)
            else:
                require_itself(asked, request)
        elif isinstance(request, RegisterKeyRequest):
            require_own_key(asked, request)
        elif grant not in (Grant.ALL, Grant.SIGNED):
            await self._sight.require(asked, grant, request)
        set_current_caller(asked)
        if self._access_log is not None:
            self._access_log.note(asked, method, request)
        return Admission(method, asked, grant, request)

    async def answered(self, admission: Admission, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer of a method with what the caller may see. Raises CallFailedError as the caller gets it."""
        caller, grant = admission.caller, admission.grant
        if caller.sees_everything:
            return await answer()
        try:
            found = await answer()
        except RefusedRequestError as refused:
            raise RefusedCallError(_masked(admission, refused.refusal)) from None
        if isinstance(found, Message) and grant in (Grant.OWN, Grant.PRODUCTS):
            await self._sight.show(caller, grant, admission.request, found)
        return found

    async def even_out(self, caller: Caller, error: CallFailedError, began: float) -> None:
        """Wait before a refusal is told, so that its time does not tell what is another's from what is not there.

        Args:
            caller: who gets it, as its connection knows it.
            error: the refusal.
            began: when the call began, by `time.monotonic`.
        """
        if self.is_open or not isinstance(error, RefusedCallError) or caller.sees_everything:
            return
        if error.refusal.reason in TOLD_EVENLY:
            until = began + EVEN_S * math.ceil((time.monotonic() - began) / EVEN_S)
            await asyncio.sleep(max(0.0, until - COARSE_S - time.monotonic()))
            await asyncio.to_thread(time.sleep, max(0.0, until - time.monotonic()))

    async def streamed(
        self, admissions: "deque[Admission]", responses: AsyncGenerator[Answer]
    ) -> AsyncGenerator[Answer]:
        """Yield the responses of a method as the caller gets them. Each request of a stream has one, in order."""
        latest: Admission | None = None
        async with contextlib.aclosing(responses):
            try:
                async for response in responses:
                    if isinstance(
                        response, RecordTransfersResponse | RegisterResponse | FileStatementsResponse
                    ):
                        latest = admissions.popleft()
                        _mask_results(latest, response)
                    yield response
            except RefusedRequestError as refused:
                if not admissions:
                    raise
                raise RefusedCallError(_masked(admissions[0], refused.refusal)) from None

    @contextlib.asynccontextmanager
    async def in_force(self, caller: Caller) -> AsyncIterator[None]:
        """Run a block, such as a stream, as long as what makes the caller known is in force. Raises CallFailedError.

        Of several tokens of one certificate, all have to be.
        """
        if self._tokens is not None and caller.token:
            async with contextlib.AsyncExitStack() as stack:
                for each in (caller, *caller.others):
                    await stack.enter_async_context(self._tokens.in_force(each.token))
                yield
            return
        limit = asyncio.timeout((caller.expires_at - now()) / MICROSECONDS if caller.expires_at else None)
        async with until(limit, lambda: failed(Failure.TOKEN_EXPIRED, token="of the issuer")):  # noqa: S106 - a word
            yield


def _masked(admission: Admission, refusal: Refusal) -> Refusal:
    request = admission.request
    if isinstance(request, FileStatementRequest):
        return _masked_statement(admission.caller, request.statement, refusal)
    return masked(admission.caller, request, refusal, MOVED_BY.get(admission.method.partition(".")[2]))


def _masked_statement(caller: Caller, statement: bytes, refusal: Refusal) -> Refusal:
    """Return the refusal of a statement as its signer gets it."""
    try:
        read = read_statement(statement)
    except MalformedStatementError:
        return refusal
    signer = msgspec.structs.replace(caller, role=Role.PARTY, party=read.party)
    return masked(
        signer, read.request, refusal, MOVED_BY.get(read.request.DESCRIPTOR.name.removesuffix("Request"))
    )


def _mask_results(
    admission: Admission, response: RecordTransfersResponse | RegisterResponse | FileStatementsResponse
) -> None:
    """Tell the refusals among the results of a batch as the caller gets them."""
    request = admission.request
    if admission.caller.sees_everything:
        return
    results: Iterable[RecordTransfersResult | RegisterResult | FileStatementsResult] = response.results
    for number, result in enumerate(results):
        if not result.HasField("refusal"):
            continue
        entry = result.refusal
        refusal = Refusal(Reason(entry.reason), tuple(sorted(entry.metadata.items())))
        if isinstance(request, FileStatementsRequest):
            told = _masked_statement(admission.caller, request.statements[number], refusal)
        else:
            told = _masked(admission, refusal)
        if told is not refusal:
            entry.CopyFrom(
                RefusedEntry(
                    reason=RefusalReason.ValueType(told.reason), message=str(told), metadata=dict(told.facts)
                )
            )


def _refused(method: str, role: Role) -> CallFailedError:
    """Return the refusal of a method to a role."""
    if role is Role.PUBLIC:
        return failed(Failure.CALLER_UNKNOWN, method=method)
    return failed(Failure.ROLE_NOT_ALLOWED, what=method, role=role.value)
