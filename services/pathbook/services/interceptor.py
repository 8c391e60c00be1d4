"""What surrounds every call: its line in the log, and how an exception becomes the status it ends with."""

from __future__ import annotations  # gRPC's classes take type parameters only while types are checked

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc import HandlerCallDetails, RpcMethodHandler, StatusCode
from grpc.aio import ServerInterceptor, ServicerContext

from pathbook.ledger.book import ViewsLaggingError
from pathbook.ledger.store.log.stream import is_passing
from pathbook.services.translate.statuses import CallFailedError, Failure, failed

OUR_METHODS: Final = "/pathbook.v1."
"""What our methods begin with; health checks and reflection are not logged."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

Request = TypeVar("Request")
Response = TypeVar("Response")
Answer = TypeVar("Answer")
Handler: TypeAlias = "RpcMethodHandler[Request, Response]"
Continuation: TypeAlias = "Callable[[HandlerCallDetails], Awaitable[Handler[Request, Response] | None]]"


class CallInterceptor(ServerInterceptor):
    """Logs one line a call: method, code, milliseconds, the reason of a refusal. Never what was asked."""

    def __init__(self) -> None:
        self._log = (
            _LOG.bind()
        )  # bound once: to find out anew for each line how to log takes as long as to log

    async def intercept_service(
        self, continuation: Continuation[Request, Response], handler_call_details: HandlerCallDetails
    ) -> Handler[Request, Response] | None:
        """Surround a method, which either answers once or yields its answers."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(OUR_METHODS):
            return handler
        return (
            self._streaming(handler, method) if handler.response_streaming else self._single(handler, method)
        )

    def _single(self, handler: Handler[Request, Response], method: str) -> Handler[Request, Response]:
        # what gRPC's types say of a handler holds for threads; in an event loop it returns an awaitable
        behaviour = cast(
            "Callable[[Request, ServicerContext[Request, Response]], Awaitable[Response]]",
            handler.unary_unary,
        )
        read = _reading(handler, method)

        async def answer(data: bytes, context: ServicerContext[Request, Response]) -> Response:
            return await self._ended(method, context, lambda: behaviour(read(data), context))

        return grpc.unary_unary_rpc_method_handler(answer, None, handler.response_serializer)

    def _streaming(self, handler: Handler[Request, Response], method: str) -> Handler[Request, Response]:
        behaviour = cast(
            "Callable[[object, ServicerContext[Request, Response]], AsyncGenerator[Response]]",
            handler.stream_stream or handler.unary_stream,
        )
        read = _reading(handler, method)

        async def one(data: bytes, context: ServicerContext[Request, Response]) -> None:
            await self._ended(method, context, lambda: _write_all(behaviour(read(data), context), context))

        async def many(messages: AsyncIterator[bytes], context: ServicerContext[Request, Response]) -> None:
            requests = (read(data) async for data in messages)
            await self._ended(method, context, lambda: _write_all(behaviour(requests, context), context))

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(many, None, handler.response_serializer)
        return grpc.unary_stream_rpc_method_handler(one, None, handler.response_serializer)

    async def _ended(
        self,
        method: str,
        context: ServicerContext[Request, Response],
        begin: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        began = time.monotonic()
        code, reason = StatusCode.OK, None
        try:
            return await begin()
        except CallFailedError as failure:
            code, reason = failure.code, failure.reason
            await context.abort(failure.code, failure.message, failure.trailer())
        except asyncio.CancelledError:
            code = StatusCode.CANCELLED  # by the caller, its deadline, or a server that would not wait longer
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller learns little of it and the log all
            hidden = _meaning(error)
            self._log.exception(hidden.reason.lower().replace("_", " "), method=method)
            code, reason = hidden.code, hidden.reason
            await context.abort(hidden.code, hidden.message, hidden.trailer())
        finally:
            milliseconds = round(1_000 * (time.monotonic() - began), 1)
            self._log.info("call", method=method, code=code.name, milliseconds=milliseconds, reason=reason)


def _meaning(error: Exception) -> CallFailedError:
    """Return what a caller is told of an error: whether calling again may help, and not much more."""
    if isinstance(error, ViewsLaggingError):
        return failed(Failure.VIEWS_FAR_BEHIND, book=error.book, position=error.position, head=error.head)
    return failed(Failure.STORE_UNAVAILABLE if is_passing(error) else Failure.UNEXPECTED)


def _reading(handler: Handler[Request, Response], method: str) -> Callable[[bytes], Request]:
    """Return what reads a request. gRPC would do so before we are asked, and call what it cannot read its own error."""
    deserialize = handler.request_deserializer
    assert deserialize is not None, method

    def read(data: bytes) -> Request:
        try:
            return deserialize(data)
        except DecodeError:
            raise failed(Failure.MESSAGE_MALFORMED, method=method) from None

    return read


async def _write_all(
    responses: AsyncGenerator[Response], context: ServicerContext[Request, Response]
) -> None:
    async with contextlib.aclosing(responses):
        async for response in responses:
            await context.write(response)
