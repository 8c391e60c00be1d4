"""What a caller is told when the answer is no: a google.rpc.Status with an ErrorInfo, as a call's trailer."""

import enum
from typing import Final

from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from pathbook.ledger.refusals import Kind, Refusal

DOMAIN: Final = "pathbook"
"""The domain of every ErrorInfo: with the reason it is unique in the world."""

DETAILS_TRAILER: Final = "grpc-status-details-bin"
"""The trailer in which gRPC carries a serialised google.rpc.Status."""

CODES: Final = {
    Kind.INVALID: StatusCode.INVALID_ARGUMENT,
    Kind.MISSING: StatusCode.NOT_FOUND,
    Kind.EXISTS: StatusCode.ALREADY_EXISTS,
    Kind.FORBIDDEN: StatusCode.PERMISSION_DENIED,
    Kind.STATE: StatusCode.FAILED_PRECONDITION,
}
"""What a caller can do about a refusal, in gRPC's words."""


class Failure(enum.Enum):
    """What can be wrong with a call, whatever it asks of the book: the code, and what the user reads."""

    MESSAGE_MALFORMED = (
        StatusCode.INVALID_ARGUMENT,
        "What was sent to {method} is not a message of its contract. Send what the code made from it writes.",
    )
    PAGE_TOKEN_MALFORMED = (
        StatusCode.INVALID_ARGUMENT,
        "This page_token was not given by this method. Send the next_page_token of the page before, or none.",
    )
    PAGE_SIZE_NEGATIVE = (
        StatusCode.INVALID_ARGUMENT,
        "A page_size of {page_size} is below zero. Send 0 for the server's choice.",
    )
    POSITION_NEGATIVE = (
        StatusCode.INVALID_ARGUMENT,
        "A {field} of {position} is below zero. Positions begin at 1; send 0 for none.",
    )
    POSITION_BEYOND_HEAD = (
        StatusCode.OUT_OF_RANGE,
        "Position {position} is beyond the head of book '{book}', which is {head}. Use one you were given.",
    )
    VIEWS_BEHIND = (
        StatusCode.DEADLINE_EXCEEDED,
        "The views of book '{book}' did not reach position {position} in {seconds} s. Is it followed? Ask again.",
    )
    VIEWS_NOT_WHOLE = (
        StatusCode.UNAVAILABLE,
        "The views of book '{book}' are being rebuilt and stand at {position} of {through}. Ask again.",
    )
    VIEWS_FAR_BEHIND = (
        StatusCode.UNAVAILABLE,
        "The views of book '{book}' stand at {position} of {head}: too far to write to it. Is it followed? Call again.",
    )
    STORE_UNAVAILABLE = (
        StatusCode.UNAVAILABLE,
        "The database of the books does not answer. Call again, with the same request ids.",
    )
    TOO_MANY_ENTRIES = (
        StatusCode.INVALID_ARGUMENT,
        "The batch has {count} entries; at most {limit} are allowed. Send several batches on the same call.",
    )
    SERVER_STOPPING = (
        StatusCode.UNAVAILABLE,
        "The server is stopping. Call again, with the same request ids, after the last position it gave.",
    )
    UNEXPECTED = (
        StatusCode.INTERNAL,
        "Something went wrong in the server, and its log says what. Asking again does no harm.",
    )


class CallFailedError(Exception):
    """A call ends with a status other than OK."""

    def __init__(self, code: StatusCode, reason: str, message: str, facts: dict[str, str]) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.facts = facts

    def trailer(self) -> tuple[tuple[str, bytes], ...]:
        """Return the trailing metadata that carries the reason and the facts."""
        detail = Any()
        detail.Pack(ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.facts))
        status = Status(code=self.code.value[0], message=self.message, details=[detail])
        return ((DETAILS_TRAILER, status.SerializeToString()),)


class RefusedCallError(CallFailedError):
    """The book's no, or that to a request which could not be read."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(CODES[refusal.kind], refusal.reason.name, str(refusal), dict(refusal.facts))
        self.refusal = refusal


def failed(failure: Failure, **facts: object) -> CallFailedError:
    """Return the exception for a failure, with the facts that its sentence names."""
    code, sentence = failure.value
    named = {name: str(value) for name, value in facts.items()}
    return CallFailedError(code, failure.name, sentence.format_map(named), named)
