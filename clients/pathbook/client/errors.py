"""What a client raises when a call was not answered with what was asked for."""

from collections.abc import Mapping

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

DOMAIN = "pathbook"
"""The domain of the ErrorInfo of every refusal."""


class RefusedError(Exception):
    """The server said no, for a reason.

    Attributes:
        reason: a name of the enum RefusalReason without its prefix, or what was wrong with the call itself.
        message: a sentence that names the thing, the rule, and what to do.
        metadata: the facts the sentence names.
        code: gRPC's code.
    """

    def __init__(self, reason: str, message: str, metadata: Mapping[str, str], code: grpc.StatusCode) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata)
        self.code = code


class UnreachableError(Exception):
    """No answer came. A write may stand in the book or not: send it again with the same request id.

    Attributes:
        target: whom the client called.
        code: gRPC's code, UNAVAILABLE or DEADLINE_EXCEEDED.
    """

    def __init__(self, target: str, message: str, code: grpc.StatusCode) -> None:
        super().__init__(f"No answer from {target}: {message}. Is a server running there?")
        self.target = target
        self.code = code


def meaning(error: grpc.RpcError, target: str) -> RefusedError | UnreachableError:
    """Return what an error of gRPC means; a status without our ErrorInfo comes from something on the way."""
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
