"""What surrounds every call: its line in the log, and how an exception becomes the status it ends with."""

from __future__ import annotations  # gRPC's classes take type parameters only while types are checked

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, TypeAlias, TypeVar, cast

import grpc
import structlog
from grpc import HandlerCallDetails, RpcMethodHandler, StatusCode
from grpc.aio import ServerInterceptor, ServicerContext

from services.statuses import CallFailed, Failure, failed

OUR_METHODS: Final = "/pathbook.v1."
"""What our methods begin with; health checks and reflection are not logged."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

Request = TypeVar("Request")
Response = TypeVar("Response")
Answer = TypeVar("Answer")
Handler: TypeAlias = "RpcMethodHandler[Request, Response]"
Continuation: TypeAlias = "Callable[[HandlerCallDetails], Awaitable[Handler[Request, Response] | None]]"


class Calls(ServerInterceptor):
    """Logs one line a call: method, code, milliseconds, the reason of a refusal. Never what was asked."""

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

        async def answer(request: Request, context: ServicerContext[Request, Response]) -> Response:
            return await self._ended(method, context, behaviour(request, context))

        return grpc.unary_unary_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )

    def _streaming(self, handler: Handler[Request, Response], method: str) -> Handler[Request, Response]:
        behaviour = cast(
            "Callable[[object, ServicerContext[Request, Response]], AsyncGenerator[Response]]",
            handler.stream_stream or handler.unary_stream,
        )

        async def stream(requests: object, context: ServicerContext[Request, Response]) -> None:
            await self._ended(method, context, _write_all(behaviour(requests, context), context))

        wrap = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return wrap(stream, handler.request_deserializer, handler.response_serializer)

    async def _ended(
        self, method: str, context: ServicerContext[Request, Response], work: Awaitable[Answer]
    ) -> Answer:
        began = time.monotonic()
        code, reason = StatusCode.OK, None
        try:
            return await work
        except CallFailed as failure:
            code, reason = failure.code, failure.reason
            await context.abort(failure.code, failure.message, failure.trailer())
        except asyncio.CancelledError:
            code = StatusCode.CANCELLED  # by the caller, its deadline, or a server that would not wait longer
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the caller learns nothing of it and the log all
            _LOG.exception("unexpected", method=method)
            hidden = failed(Failure.UNEXPECTED)
            code, reason = hidden.code, hidden.reason
            await context.abort(hidden.code, hidden.message, hidden.trailer())
        finally:
            milliseconds = round(1_000 * (time.monotonic() - began), 1)
            _LOG.info("call", method=method, code=code.name, milliseconds=milliseconds, reason=reason)


async def _write_all(
    responses: AsyncGenerator[Response], context: ServicerContext[Request, Response]
) -> None:
    async with contextlib.aclosing(responses):
        async for response in responses:
            await context.write(response)
