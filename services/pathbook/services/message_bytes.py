"""Reads requests from bytes and writes responses to bytes, so that what is malformed or too large has a reason."""

from __future__ import annotations  # gRPC's classes take type parameters only for the type checker

from collections.abc import Callable
from typing import TypeAlias, TypeVar, cast

from google.protobuf.message import DecodeError
from grpc import RpcMethodHandler

from pathbook.services.translate.pages import ANSWER_MAX_BYTES
from pathbook.services.translate.statuses import Failure, failed

Request = TypeVar("Request")
Response = TypeVar("Response")
Handler: TypeAlias = "RpcMethodHandler[Request, Response]"


def request_reader(handler: Handler[Request, Response], method: str) -> Callable[[bytes], Request]:
    """Return a function that parses a request.

    gRPC itself would parse the request before our method runs, and report a malformed one as an internal error.
    """
    deserialize = handler.request_deserializer
    assert deserialize is not None, method

    def read(data: bytes) -> Request:
        try:
            return deserialize(data)
        except DecodeError:
            raise failed(Failure.MESSAGE_MALFORMED, method=method) from None

    return read


def response_writer(handler: Handler[Request, Response], method: str) -> Callable[[Response], bytes]:
    """Return a function that serializes a response, and fails if a client of gRPC would refuse its size.

    Such a client would only see a broken call. gRPC itself would serialize after our method, where nothing can fail
    with a reason.
    """
    # a method that has no serializer answers with bytes
    serialize = handler.response_serializer or cast("Callable[[Response], bytes]", bytes)

    def write(response: Response) -> bytes:
        data = serialize(response)
        if len(data) > ANSWER_MAX_BYTES:
            raise failed(Failure.ANSWER_TOO_LARGE, method=method, bytes=len(data), limit=ANSWER_MAX_BYTES)
        return data

    return write
