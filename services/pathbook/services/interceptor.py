"""Surrounds every call: logs one line for it, and turns an exception into the call's status."""

from __future__ import annotations  # gRPC's classes take type parameters only for the type checker

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import Message
from grpc import HandlerCallDetails, StatusCode
from grpc.aio import ServerInterceptor, ServicerContext

from pathbook.ledger.book import (
    BookStoppingError,
    ClockJumpedError,
    EventsAheadError,
    UntrueTimeError,
    ViewsLaggingError,
)
from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.refusals import RefusedRequestError
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.failures import OutageLog, StoreTrouble, trouble_of
from pathbook.ledger.store.database.open_files import FileChangedError
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.services.access.callers import Caller, KnownBy, Role
from pathbook.services.access.control import AccessControl, Admission, Metadata
from pathbook.services.call_ids import CALL_ID_KEY, call_id
from pathbook.services.callers import CALLER, Origins
from pathbook.services.callers import Caller as Place
from pathbook.services.limited_log import LIMITED, LimitedLog
from pathbook.services.message_bytes import Handler, request_reader, response_writer
from pathbook.services.metrics import Metrics
from pathbook.services.rates import Rates
from pathbook.services.spans import Spans
from pathbook.services.storage import DAMAGE, damage_reason
from pathbook.services.streams import OpenStreams, taken_in_time
from pathbook.services.translate.statuses import CallFailedError, Failure, RefusedCallError, failed
from pathbook.services.translate.times import shown, span

OUR_METHODS: Final = "/pathbook.v1."
"""The beginning of the names of our methods. Health checks and reflection are not logged."""

FIRST_REQUEST_TIMEOUT_S: Final = 10.0
"""How long a caller without a token may hold a stream open before it asks anything."""

TROUBLES: Final = {
    StoreTrouble.AWAY: Failure.STORE_UNAVAILABLE,
    StoreTrouble.READ_ONLY: Failure.STORE_READ_ONLY,
    StoreTrouble.BUSY: Failure.STORE_BUSY,
    StoreTrouble.FULL: Failure.STORE_FULL,
}
"""The failure that the caller gets for each trouble with the database."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

Request = TypeVar("Request")
Response = TypeVar("Response")
Answer = TypeVar("Answer")
Begun: TypeAlias = "tuple[Caller, AsyncGenerator[Response]]"
Continuation: TypeAlias = "Callable[[HandlerCallDetails], Awaitable[Handler[Request, Response] | None]]"


class CallInterceptor(ServerInterceptor):
    """Logs one line for each call: method, code, milliseconds, the reason of a refusal. It never logs a request.
    Of calls that a limit refuses, it logs one in ten seconds, and how many there were.
    The id of a call is in each line that is logged for it, and in its trailer.
    """

    def __init__(
        self,
        lost: Callable[[], FileChangedError | None],
        access: Callable[[], AccessControl],
        metrics: Metrics,
        spans: Spans,
        rates: Rates,
        origins: Origins,
    ) -> None:
        """Prepare.

        Args:
            lost: looks whether files of the books were lost, which may cause any other error.
            access: returns what judges calls, once the server has started.
            metrics: counts calls.
            spans: traces calls.
            rates: limits callers.
            origins: tells from where calls come.
        """
        self._lost, self._access = lost, access
        self._metrics, self._spans, self._rates, self._origins = metrics, spans, rates, origins
        self._streams, self._limited = OpenStreams(), LimitedLog()
        # structlog reads its configuration in bind(); to do that for each line takes as long as to log the line
        self._log = _LOG.bind()
        self._outages = OutageLog()
        self._surrounded: dict[str, object] = {}

    async def intercept_service(
        self, continuation: Continuation[Request, Response], handler_call_details: HandlerCallDetails
    ) -> Handler[Request, Response] | None:
        """Surround a method. It either returns one response or yields several."""
        method = handler_call_details.method
        if (surrounded := self._surrounded.get(method)) is not None:
            return cast("Handler[Request, Response]", surrounded)
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(OUR_METHODS):
            return handler
        surround = self._streaming if handler.response_streaming else self._single
        made = self._surrounded[method] = surround(handler, method)
        return made

    def _single(self, handler: Handler[Request, Response], method: str) -> Handler[Request, Response]:
        # gRPC's types describe a handler for threads; in an event loop, a handler returns an awaitable
        behavior = cast(
            "Callable[[Request, ServicerContext[Request, Response]], Awaitable[Response]]",
            handler.unary_unary,
        )
        read, write = request_reader(handler, method), response_writer(handler, method)
        name = method.removeprefix(OUR_METHODS).replace("/", ".")

        async def answer(data: bytes, context: ServicerContext[Request, Response]) -> bytes:
            async def answered() -> bytes:
                began, access = time.monotonic(), self._access()
                caller = await self._known(access, context)
                request = read(data)
                try:
                    admission = await access.admit(name, caller, cast("Message", request))
                    response = write(await access.answered(admission, lambda: behavior(request, context)))
                except CallFailedError as error:
                    await access.even_out(caller, error, began)
                    raise
                await self._rates.pace(CALLER.get(), len(response))
                return response

            return await self._run(method, context, answered)

        return cast("Handler[Request, Response]", grpc.unary_unary_rpc_method_handler(answer, None, None))

    def _streaming(self, handler: Handler[Request, Response], method: str) -> Handler[Request, Response]:
        behavior = cast(
            "Callable[[object, ServicerContext[Request, Response]], AsyncGenerator[Response]]",
            handler.stream_stream or handler.unary_stream,
        )
        read, write = request_reader(handler, method), response_writer(handler, method)
        name = method.removeprefix(OUR_METHODS).replace("/", ".")

        async def answer_one(data: bytes, context: ServicerContext[Request, Response]) -> None:
            async def begin(access: AccessControl, caller: Caller) -> Begun[Response]:
                began, request = time.monotonic(), read(data)
                try:
                    admission = await access.admit(name, caller, cast("Message", request))
                except CallFailedError as error:
                    await access.even_out(caller, error, began)
                    raise
                asked, found = admission.caller, behavior(request, context)
                return asked, found if asked.sees_everything else access.streamed(deque([admission]), found)

            await self._stream(method, context, begin, write)

        async def answer_many(
            messages: AsyncIterator[bytes], context: ServicerContext[Request, Response]
        ) -> None:
            async def begin(access: AccessControl, caller: Caller) -> Begun[Response]:
                access.require_grant(name, caller)
                admissions: deque[Admission] = deque()
                asked = _soon(messages) if caller.role is Role.PUBLIC else messages

                async def admitted() -> AsyncIterator[Request]:
                    async for data in asked:
                        request = read(data)
                        admissions.append(await access.admit(name, caller, cast("Message", request)))
                        yield request

                return caller, access.streamed(admissions, behavior(admitted(), context))

            await self._stream(method, context, begin, write)

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(answer_many, None, None)
        return grpc.unary_stream_rpc_method_handler(answer_one, None, None)

    async def _stream(
        self,
        method: str,
        context: ServicerContext[Request, Response],
        begin: Callable[[AccessControl, Caller], Awaitable[Begun[Response]]],
        write: Callable[[Response], bytes],
    ) -> None:
        """Run a method that yields responses, as one of the streams that are open, as long as its token is in force."""

        async def write_all() -> None:
            access = self._access()
            with counted:
                self._metrics.streams(1)
                try:
                    caller = await self._known(access, context)
                    pace = partial(self._rates.pace, CALLER.get())
                    caller, responses = await begin(access, caller)
                    async with access.in_force(caller):
                        await _write_all(responses, write, context, pace)
                finally:
                    self._metrics.streams(-1)

        place = self._place(context, metadata_of(context))
        # a proxy passes the calls of many callers on over one connection
        connection = f"{context.peer()} for {place.address}"
        counted = self._streams.counted(connection, place.address, self._rates.streams(place))
        await self._run(method, context, write_all)

    def _place(self, context: ServicerContext[Request, Response], metadata: Metadata) -> Place:
        """Return from where a call comes."""
        return self._origins.caller(context.peer(), metadata)

    async def _known(self, access: AccessControl, context: ServicerContext[Request, Response]) -> Caller:
        """Return who calls, and count its call. The limits are those of its role, or of the public if it is unknown."""
        metadata = metadata_of(context)  # gRPC reads it again each time
        place = self._place(context, metadata)
        is_counted = False

        def count() -> None:
            nonlocal is_counted
            if not is_counted:
                is_counted = True
                self._rates.require_call(place)

        try:
            caller = await access.caller(metadata, context.auth_context, count)
        except CallFailedError:
            count()
            raise
        is_known = caller.known_by not in (KnownBy.NOTHING, KnownBy.OPEN_SERVER)
        name = f"{caller.token or caller.party} of {caller.book}" if is_known else ""
        CALLER.set(place := place._replace(kind=caller.role.value, name=name))
        count()
        return caller

    async def _run(
        self,
        method: str,
        context: ServicerContext[Request, Response],
        begin: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        began = time.monotonic()
        code, reason = StatusCode.OK, None
        metadata = context.invocation_metadata() or ()
        call = call_id(metadata)
        structlog.contextvars.bind_contextvars(call=call)  # gRPC runs each call in a context of its own
        named = (CALL_ID_KEY, call)
        context.set_trailing_metadata((named,))
        with self._spans.call(method, metadata, call) as ended:
            try:
                return await begin()
            except asyncio.CancelledError:
                code = StatusCode.CANCELLED  # by the caller, by its deadline, or by a server that stops
                raise
            except Exception as error:  # noqa: BLE001 - every error is logged, and hidden from the caller
                failure = _expected(error) or self._unexpected(error, method, call)
                code, reason = failure.code, failure.reason
                message = failure.message
                trailer: Metadata = (*failure.trailer(), named)
                # Its traceback has this frame. What gRPC raises below lasts until the garbage collector comes, and
                # would keep the error and all its frames, if it arose here.
                del failure
            finally:
                seconds = time.monotonic() - began
                ended(code.value[0])
                self._metrics.call(method, code.name, seconds)
                if reason is not None:
                    self._metrics.refused(reason)
                self._tell(method, code, seconds, reason)
        return await context.abort(code, message, trailer)

    def _tell(self, method: str, code: StatusCode, seconds: float, reason: str | None) -> None:
        """Log a line for a call, unless it is one of many that a limit refuses."""
        if reason in LIMITED:
            if self._limited.counted(reason):
                return
            if more := self._limited.take(reason):
                self._log.info("calls beyond a limit", reason=reason, count=more)
        self._log.info(
            "call", method=method, code=code.name, milliseconds=round(1_000 * seconds, 1), reason=reason
        )

    def _unexpected(self, error: Exception, method: str, call: str) -> CallFailedError:
        """Return the failure that the caller gets for an error of ours or of the database, which is logged."""
        lost = self._lost()
        failure = _failure(error, call) if lost is None else _stopped(lost)
        what = failure.reason.lower().replace("_", " ")
        if lost is None and isinstance(error, DAMAGE):  # no bug, and the follower logs it as an error
            self._log.info(what, method=method, cause=str(error))
        elif lost is not None or not self._outages.tell(error):
            self._log.exception(what, method=method)
        return failure


def _expected(error: Exception) -> CallFailedError | None:
    """Return the failure of an error that is no bug: it says so itself, or was logged where it arose. Else None."""
    if isinstance(error, CallFailedError):
        return error
    if isinstance(error, RefusedRequestError):
        return RefusedCallError(error.refusal)
    if isinstance(error, NewerEventError | FileChangedError | BookStoppingError):
        return _stopped(error)
    return _untrue_time(error) if isinstance(error, UntrueTimeError) else None


def _stopped(error: NewerEventError | FileChangedError | BookStoppingError) -> CallFailedError:
    """Return the failure of a call for which nothing helps but an operator, or another server."""
    if isinstance(error, BookStoppingError):
        return failed(Failure.SERVER_STOPPING)
    if isinstance(error, NewerEventError):
        return failed(Failure.BOOK_NEWER, position=error.position, field=error.field)
    failure = Failure.LOG_LOST if error.is_log else Failure.VIEWS_LOST
    return failed(failure, file=error.file, problem=error.problem)


def _untrue_time(error: UntrueTimeError) -> CallFailedError:
    """Return the failure for a clock that is not believed, or for events that lie ahead of it."""
    match error:
        case ClockJumpedError():
            difference = span(error.now, error.expected)
            return failed(
                Failure.CLOCK_JUMPED,
                clock=shown(error.now),
                expected=shown(error.expected),
                difference=difference,
            )
        case EventsAheadError():
            difference = span(error.last_event, error.now)
            return failed(
                Failure.EVENTS_AHEAD,
                book=error.book,
                clock=shown(error.now),
                last_event=shown(error.last_event),
                difference=difference,
            )
        case _:
            raise error


def _failure(error: Exception, call: str) -> CallFailedError:
    """Return the failure that the caller gets for an error. It says little more than whether a retry may help."""
    if isinstance(error, ViewsLaggingError):
        position, head = error.position, error.head
        return failed(
            Failure.VIEWS_FAR_BEHIND, book=error.book, position=position, head=head, behind=head - position
        )
    if isinstance(error, EventDamagedError):
        return failed(Failure.EVENT_DAMAGED, book=error.book, position=error.position, problem=error.problem)
    if isinstance(error, DatabaseDamagedError):
        return failed(Failure[damage_reason(error)], database=error.name, cause=error.cause)
    trouble = trouble_of(error)
    return failed(Failure.UNEXPECTED, call=call) if trouble is None else failed(TROUBLES[trouble])


def metadata_of(context: ServicerContext[Request, Response]) -> Metadata:
    """Return the metadata that a caller sent."""
    return cast("Metadata", context.invocation_metadata() or ())


async def _soon(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield messages, of which the first must come soon: others may need the stream that its caller does not use."""
    try:
        async with asyncio.timeout(FIRST_REQUEST_TIMEOUT_S):
            first = await anext(messages, None)
    except TimeoutError:
        raise failed(Failure.STREAM_UNUSED, seconds=FIRST_REQUEST_TIMEOUT_S) from None
    if first is not None:
        yield first
    async for data in messages:
        yield data


async def _write_all(
    responses: AsyncGenerator[Response],
    write: Callable[[Response], bytes],
    context: ServicerContext[Request, Response],
    pace: Callable[[int], Awaitable[None]],
) -> None:
    # Apart from the first response: a stream can be ended while a response waits for its reader only after this.
    await context.send_initial_metadata(())
    async with contextlib.aclosing(responses):
        async for response in responses:
            data = write(response)
            await pace(len(data))
            async with taken_in_time():
                await context.write(cast("Response", data))
