"""The status of a call that failed: a google.rpc.Status with an ErrorInfo, in the call's trailer."""

import enum
from typing import Final

from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from pathbook.ledger.refusals import Kind, Refusal

DOMAIN: Final = "pathbook"
"""The domain of every ErrorInfo. Domain and reason together are unique among all APIs."""

DETAILS_TRAILER: Final = "grpc-status-details-bin"
"""The trailer in which gRPC carries a serialized google.rpc.Status."""

CODES: Final = {
    Kind.INVALID: StatusCode.INVALID_ARGUMENT,
    Kind.MISSING: StatusCode.NOT_FOUND,
    Kind.EXISTS: StatusCode.ALREADY_EXISTS,
    Kind.FORBIDDEN: StatusCode.PERMISSION_DENIED,
    Kind.STATE: StatusCode.FAILED_PRECONDITION,
}
"""gRPC's status for each kind of refusal. It says what a caller can do about it."""


class Failure(enum.Enum):
    """Why a call can fail other than by a refusal of the book: the status code, and the sentence for the user."""

    MESSAGE_MALFORMED = (
        StatusCode.INVALID_ARGUMENT,
        "The request to {method} is not a valid protobuf message. Use code generated from the .proto files.",
    )
    PAGE_TOKEN_MALFORMED = (
        StatusCode.INVALID_ARGUMENT,
        "This page_token is not from this method. Send the next_page_token of the previous page, or leave it empty.",
    )
    PAGE_SIZE_NEGATIVE = (
        StatusCode.INVALID_ARGUMENT,
        "A page_size of {page_size} is below zero. Send a size, or 0 for the server's choice.",
    )
    POSITION_NEGATIVE = (
        StatusCode.INVALID_ARGUMENT,
        "A {field} of {position} is below zero. Positions begin at 1; send 0 for none.",
    )
    POSITION_BEYOND_HEAD = (
        StatusCode.OUT_OF_RANGE,
        "Position {position} is beyond the head of book '{book}', which is {head}. Use one up to {head}.",
    )
    VIEWS_BEHIND = (
        StatusCode.DEADLINE_EXCEEDED,
        (
            "The views of book '{book}' did not reach position {position} in {seconds} s."
            " Check that a follower runs (`pathbook views follow`), then retry."
        ),
    )
    VIEWS_NOT_WHOLE = (
        StatusCode.UNAVAILABLE,
        "The views of book '{book}' are being rebuilt, and have reached position {position} of {through}. Retry later.",
    )
    VIEWS_FAR_BEHIND = (
        StatusCode.UNAVAILABLE,
        "Writes are paused: the views are {behind} events behind. Check that `pathbook views follow` runs, then retry.",
    )
    BOOK_NEWER = (
        StatusCode.UNIMPLEMENTED,
        (
            "The event at position {position} of this book is newer than the server, which does not know its field"
            " {field}. Update the server."
        ),
    )
    EVENT_DAMAGED = (
        StatusCode.DATA_LOSS,
        (
            "The event at position {position} of book '{book}' is not what was written: {problem}."
            " Restore the log from a backup: `pathbook restore`."
        ),
    )
    LOG_DAMAGED = (
        StatusCode.DATA_LOSS,
        "{database} is damaged: {cause}. Restore the log from a backup: `pathbook restore`.",
    )
    VIEWS_DAMAGED = (
        StatusCode.DATA_LOSS,
        "{database} is damaged: {cause}. `pathbook views rebuild` rebuilds it from the events.",
    )
    STORE_UNAVAILABLE = (
        StatusCode.UNAVAILABLE,
        "The database of the books does not answer. Retry with the same request ids.",
    )
    CODE_KEY_MISSING = (
        StatusCode.UNAVAILABLE,
        (
            "This server does not have key {code_key}, which other servers of these books use, so it can neither read"
            " nor print these codes. Copy codes.key from them to this server, then retry."
        ),
    )
    CODE_KEYS_UNUSABLE = (
        StatusCode.UNAVAILABLE,
        (
            "No batch is commissioned, because codes.key of this server {problem}."
            " Restore the file, or copy it from another server of these books, then retry."
        ),
    )
    TOO_MANY_ENTRIES = (
        StatusCode.INVALID_ARGUMENT,
        "The batch has {count} entries; at most {limit} are allowed. Send several batches on the same call.",
    )
    SERVER_STOPPING = (
        StatusCode.UNAVAILABLE,
        "The server is stopping. Retry with the same request ids, and resume streams after the last position received.",
    )
    UNEXPECTED = (
        StatusCode.INTERNAL,
        "Internal error; see the server's log. Retrying is safe.",
    )


class CallFailedError(Exception):
    """A call fails: it ends with a status other than OK."""

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
    """A call is refused: by the book, or because a field of the request cannot be read."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(CODES[refusal.kind], refusal.reason.name, str(refusal), dict(refusal.facts))
        self.refusal = refusal


def failed(failure: Failure, **facts: object) -> CallFailedError:
    """Return the exception for a failure. The facts are its metadata, and fill in its sentence."""
    code, sentence = failure.value
    metadata = {name: str(value) for name, value in facts.items()}
    # only the sentence names the difference: programs have head and position
    is_lag = failure is Failure.VIEWS_FAR_BEHIND
    behind = int(metadata["head"]) - int(metadata["position"]) if is_lag else None
    return CallFailedError(code, failure.name, sentence.format(**metadata, behind=behind), metadata)
