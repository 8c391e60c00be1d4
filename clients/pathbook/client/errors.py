"""The exceptions of a client: the server refused a call, or did not answer it."""

from collections.abc import Mapping

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

from pathbook.client.reasons import FailureReason, RefusalReason

DOMAIN = "pathbook"
"""The domain of the ErrorInfo of every refusal."""


class RefusedError(Exception):
    """The server refused a call, and nothing was recorded for it.

    Attributes:
        reason: The name of the reason: a member of ``RefusalReason`` or of ``FailureReason``, which also equals its
            name as a text, such as "UNITS_RESERVED". A reason that this program does not know is a plain text. If
            gRPC or a proxy refused the call, it is the name of gRPC's status.
        message: A sentence for a person. It names the thing, the rule, and what to do.
        metadata: The facts that the sentence names, by name.
        code: gRPC's status code.
        retry_delay: After how many seconds the same call may succeed, or None if another change must come first.
        may_retry: Whether the same call may succeed later, without another change.

    Example:
        >>> from pathbook.client import RefusalReason
        >>> try:
        ...     client.get_party("zoe")
        ... except RefusedError as refused:
        ...     print(refused.reason, refused.metadata["party"], refused.may_retry)
        ...     assert refused.reason is RefusalReason.PARTY_UNKNOWN
        PARTY_UNKNOWN zoe False
    """

    def __init__(
        self,
        reason: str,
        message: str,
        metadata: Mapping[str, str],
        code: grpc.StatusCode,
        retry_delay: float | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = named_reason(reason)
        self.message = message
        self.metadata = dict(metadata)
        self.code = code
        self.retry_delay = retry_delay
        self.may_retry = retry_delay is not None


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


def named_reason(name: str) -> str:
    """Return the member of RefusalReason or FailureReason with a name, or the name if both have none."""
    if name in RefusalReason.__members__:
        return RefusalReason(name)
    return FailureReason(name) if name in FailureReason.__members__ else name


def client_error(error: grpc.RpcError, target: str) -> RefusedError | UnreachableError:
    """Return the client's exception for an error of gRPC.

    A status without an ErrorInfo of our domain comes from gRPC itself, or from a proxy on the way.
    """
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError), error
    code, message = error.code(), error.details() or ""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return RefusedError(info.reason, message, info.metadata, code, retry_delay(error) or None)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return UnreachableError(target, message, code)
    return RefusedError(code.name, message, {}, code)


def ended_too_soon(target: str) -> UnreachableError:
    """Return the exception for a server that ended a call without an error and without all responses."""
    return UnreachableError(target, "it ended the call too soon", grpc.StatusCode.UNAVAILABLE)


def retry_delay(error: grpc.RpcError) -> float:
    """Return how long (seconds) the server asks to wait before a retry, 0 if it does not say."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError), error
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        retry = RetryInfo()
        if detail.Unpack(retry):
            return max(0.0, float(retry.retry_delay.ToTimedelta().total_seconds()))
    return 0.0
