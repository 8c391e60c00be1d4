"""The exceptions of a client: the server refused a call, or did not answer it."""

from collections.abc import Mapping

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

DOMAIN = "pathbook"
"""The domain of the ErrorInfo of every refusal."""


class RefusedError(Exception):
    """The server refused a call, and nothing was recorded for it.

    Attributes:
        reason: The name of the reason, such as UNITS_RESERVED. It is a member of RefusalReason without its prefix,
            or names what was wrong with the call itself. If gRPC or a proxy refused the call, it is gRPC's status.
        message: A sentence for a person. It names the thing, the rule, and what to do.
        metadata: The facts that the sentence names, by name.
        code: gRPC's status code.

    Example:
        >>> try:
        ...     client.get_party("zoe")
        ... except RefusedError as refused:
        ...     print(refused.reason, refused.metadata["party"])
        PARTY_UNKNOWN zoe
    """

    def __init__(self, reason: str, message: str, metadata: Mapping[str, str], code: grpc.StatusCode) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata)
        self.code = code


class UnreachableError(Exception):
    """No answer came in time. A write may have been recorded: send it again with the same request id.

    Attributes:
        target: The address that the client called, HOST:PORT.
        code: gRPC's status code, UNAVAILABLE or DEADLINE_EXCEEDED.

    Example:
        >>> try:
        ...     Client("127.0.0.1:1", book="masks", retry_seconds=0).get_head()
        ... except UnreachableError as unreachable:
        ...     print(unreachable.target, unreachable.code.name)
        127.0.0.1:1 UNAVAILABLE
    """

    def __init__(self, target: str, message: str, code: grpc.StatusCode) -> None:
        super().__init__(f"No answer from {target}: {message}. Is a server running there?")
        self.target = target
        self.code = code


def client_error(error: grpc.RpcError, target: str) -> RefusedError | UnreachableError:
    """Return the client's exception for an error of gRPC.

    A status without an ErrorInfo of our domain comes from gRPC itself, or from a proxy on the way.
    """
    assert isinstance(error, grpc.Call), error
    code, message = error.code(), error.details() or ""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return RefusedError(info.reason, message, info.metadata, code)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return UnreachableError(target, message, code)
    return RefusedError(code.name, message, {}, code)


def retry_delay(error: grpc.RpcError) -> float:
    """Return how long (seconds) the server asks to wait before a retry, 0 if it does not say."""
    assert isinstance(error, grpc.Call), error
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        retry = RetryInfo()
        if detail.Unpack(retry):
            return max(0.0, retry.retry_delay.ToTimedelta().total_seconds())
    return 0.0
