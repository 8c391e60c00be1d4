"""The status of a call that failed: a google.rpc.Status with an ErrorInfo, in the call's trailer."""

import enum
from typing import Final

from grpc import StatusCode

from pathbook.ledger.refusals import Kind, Refusal, RefusedRequestError
from pathbook.services.translate.status_details import details, kept_details

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
        (
            "This page_token is not from this list. Send the next_page_token of its previous page, with the same"
            " filter, or leave it empty."
        ),
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
    ANOTHER_HISTORY = (
        StatusCode.FAILED_PRECONDITION,
        (
            "Book '{book}' was restored or opened again since you read it: what you have beyond position"
            " {shared_position} is another history. Drop everything after {shared_position} and resume from there."
        ),
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
    REPORT_BUILDING = (
        StatusCode.UNAVAILABLE,
        (
            "The report {report} about book '{book}' is being built, and has reached position {position} of {through}."
            " Retry later."
        ),
    )
    REPORT_BEHIND = (
        StatusCode.DEADLINE_EXCEEDED,
        (
            "The report {report} about book '{book}' did not reach position {position} in {seconds} s."
            " Retry later, or ask for what it has with an at_least_position of 0."
        ),
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
    LOG_LOST = (  # not FAILED_PRECONDITION, which says that the book refuses; no client retries this one by itself
        StatusCode.DATA_LOSS,
        (
            "Nothing more is recorded, because {file} of this server {problem} while it was open. Put back the file"
            " that was open or restore a backup, restart the server, and retry with the same request ids, because this"
            " write may be lost."
        ),
    )
    VIEWS_LOST = (
        StatusCode.UNAVAILABLE,
        (
            "Nothing more is read, because {file} of this server {problem} while it was open. Restart the server, which"
            " rebuilds the views, and retry."
        ),
    )
    STORE_READ_ONLY = (
        StatusCode.UNAVAILABLE,
        (
            "Nothing was written: the database of the books is read-only (a standby?). Point the server to one that can"
            " be written, or allow writing, then retry with the same request ids."
        ),
    )
    STORE_BUSY = (
        StatusCode.UNAVAILABLE,
        "The database of the books is too busy: a lock or a connection did not come in time. Retry later.",
    )
    STORE_FULL = (
        StatusCode.UNAVAILABLE,
        "Nothing was written: the disk of the database of the books is full. Make room, then retry.",
    )
    CLOCK_JUMPED = (
        StatusCode.FAILED_PRECONDITION,
        (
            "Nothing was written: the clock of the server says {clock}, {difference} the time that it should be near,"
            " {expected}. If the clock is right, run `pathbook clock confirm`; if not, set it, then retry."
        ),
    )
    EVENTS_AHEAD = (
        StatusCode.FAILED_PRECONDITION,
        (
            "Nothing was written: the last event of book '{book}' is of {last_event}, {difference} what the clock of"
            " the server says, {clock}. Set the clock if it is wrong; if not, restore a backup from before that event,"
            " or run `pathbook clock confirm --accept-events-ahead` to go on with its time."
        ),
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
    LOG_KEY_UNUSABLE = (
        StatusCode.UNAVAILABLE,
        (
            "This server cannot use its log.key ({problem}), as its log says. Put back the file, or ask another server"
            " of these books."
        ),
    )
    CHECKPOINT_MISSING = (
        StatusCode.NOT_FOUND,
        (
            "Book '{book}' has no signed checkpoint of size {size}. Its newest one has size {newest}, where 0 means"
            " that there is none yet."
        ),
    )
    SIZES_REVERSED = (
        StatusCode.INVALID_ARGUMENT,
        "An old_size of {old_size} is above the size, {size}. Exchange the two.",
    )
    TOO_MANY_ENTRIES = (
        StatusCode.INVALID_ARGUMENT,
        "The batch has {count} entries; at most {limit} are allowed. Send several batches on the same call.",
    )
    TOO_MANY_STREAMS = (
        StatusCode.RESOURCE_EXHAUSTED,
        "This connection already has {limit} streams open. End some of them, then retry.",
    )
    CALLS_LIMITED = (
        StatusCode.RESOURCE_EXHAUSTED,
        "Too many calls come from this address: {limit} are allowed. Retry later, or send batches.",
    )
    CODES_LIMITED = (
        StatusCode.RESOURCE_EXHAUSTED,
        "Too many codes that this book never printed were asked from this address: {limit} are allowed. Retry later.",
    )
    STREAMS_LIMITED = (
        StatusCode.RESOURCE_EXHAUSTED,
        "This address already has {limit} streams open. End some of them, then retry.",
    )
    SERVER_FULL = (
        StatusCode.UNAVAILABLE,
        "This server already has {limit} streams open. Retry later, or at another server of these books.",
    )
    SLOW_READER = (
        StatusCode.UNAVAILABLE,
        (
            "The caller took nothing of this stream for {seconds} s, so it was ended. Resume it after the last position"
            " received, or retry with the same request ids."
        ),
    )
    STREAM_UNUSED = (
        StatusCode.DEADLINE_EXCEEDED,
        "Nothing was asked on this stream for {seconds} s, so it was ended. Open it again when you have a request.",
    )
    ANSWER_TOO_LARGE = (
        StatusCode.RESOURCE_EXHAUSTED,
        (
            "The answer of {method} has {bytes} bytes, and a message has at most {limit}. Ask for less at once, with a"
            " smaller page_size if there is one, and report this: every answer should be smaller."
        ),
    )
    CALLER_UNKNOWN = (
        StatusCode.UNAUTHENTICATED,
        "{method} is not for the public. Send a token of this book: --token-file FILE, or PATHBOOK_TOKEN.",
    )
    CODE_NEEDED = (
        StatusCode.UNAUTHENTICATED,
        (
            "Name the units by their printed codes. By their numbers, only a token of this book that may see them names"
            " them: --token-file FILE, or PATHBOOK_TOKEN."
        ),
    )
    TOKEN_UNKNOWN = (
        StatusCode.UNAUTHENTICATED,
        "This server does not know the token. Check that it is whole, and of these books, or ask the operator for one.",
    )
    TOKEN_REVOKED = (
        StatusCode.UNAUTHENTICATED,
        "Token {token} was revoked. Ask the operator for another one.",
    )
    TOKEN_EXPIRED = (
        StatusCode.UNAUTHENTICATED,
        "Token {token} has expired. Ask the operator for another one.",
    )
    ROLE_NOT_ALLOWED = (
        StatusCode.PERMISSION_DENIED,
        "{what} is not for the role {role}. Ask the operator, who has the table of what each role may do.",
    )
    NOT_ITSELF = (
        StatusCode.PERMISSION_DENIED,
        (
            "The token is of {party}, and {actor} would act or be asked about. A party acts only as itself: name"
            " {party}, or have {actor} ask."
        ),
    )
    ISSUER_AWAY = (
        StatusCode.UNAVAILABLE,
        "The keys of the issuer of web tokens cannot be had now. Retry later, or send an API token.",
    )
    TOKEN_MISSING = (
        StatusCode.NOT_FOUND,
        "There is no token {token} that you may revoke. List the tokens.",
    )
    TOKEN_OF_NO_PARTY = (
        StatusCode.INVALID_ARGUMENT,
        "A token of the role {role} speaks for no party. Leave out the party.",
    )
    TOKEN_TOO_LONG = (
        StatusCode.INVALID_ARGUMENT,
        "A token cannot count for {days} days. Give 1 to {limit}, or 0 for the default.",
    )
    SERVER_STOPPING = (
        StatusCode.UNAVAILABLE,
        "The server is stopping. Retry with the same request ids, and resume streams after the last position received.",
    )
    UNEXPECTED = (
        StatusCode.INTERNAL,
        "Internal error in call {call}; see the server's log. Retrying is safe.",
    )


RESTART_S: Final = 0.2
"""After how many seconds a call may find another server or database. Restarts take about a second."""

CATCH_UP_S: Final = 1.0
"""After how many seconds views that are behind or rebuilt may be further. A follower reads 20,000 events a second."""

LIMITED_S: Final = 1.0
"""After how many seconds a caller that met a limit may go on, unless the limit says more exactly when."""

FAILOVER_S: Final = 5.0
"""After how many seconds a standby may have taken over, or a disk may have room again."""

LIMITS: Final = (
    Failure.CALLS_LIMITED,
    Failure.CODES_LIMITED,
    Failure.STREAMS_LIMITED,
    Failure.TOO_MANY_STREAMS,
    Failure.SERVER_FULL,
    Failure.SLOW_READER,
    Failure.STREAM_UNUSED,
)
"""The failures by which a server defends itself and its other callers."""

RETRY_DELAYS_S: Final = {
    Failure.VIEWS_BEHIND: CATCH_UP_S,
    Failure.VIEWS_NOT_WHOLE: CATCH_UP_S,
    Failure.REPORT_BUILDING: CATCH_UP_S,
    Failure.REPORT_BEHIND: CATCH_UP_S,
    Failure.VIEWS_FAR_BEHIND: CATCH_UP_S,
    Failure.STORE_UNAVAILABLE: RESTART_S,
    Failure.STORE_BUSY: CATCH_UP_S,
    Failure.STORE_READ_ONLY: FAILOVER_S,
    Failure.STORE_FULL: FAILOVER_S,
    Failure.CALLS_LIMITED: LIMITED_S,
    Failure.CODES_LIMITED: LIMITED_S,
    Failure.STREAMS_LIMITED: LIMITED_S,
    Failure.SERVER_FULL: CATCH_UP_S,
    Failure.ISSUER_AWAY: FAILOVER_S,
    Failure.SLOW_READER: RESTART_S,
    Failure.SERVER_STOPPING: RESTART_S,
}
"""How long a caller should wait before it retries, by the failure. It is sent as a google.rpc.RetryInfo. Failures that
do not pass by themselves have none."""


class CallFailedError(Exception):
    """A call fails: it ends with a status other than OK. ``retry_delay`` (seconds) is 0 if none is to be sent."""

    def __init__(
        self, code: StatusCode, reason: str, message: str, facts: dict[str, str], retry_delay: float = 0.0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.facts = facts
        self.retry_delay = retry_delay

    def trailer(self) -> tuple[tuple[str, bytes], ...]:
        """Return the trailing metadata that carries the reason, the facts, and when to retry."""
        made = kept_details if self.retry_delay else details
        data = made(self.code, self.reason, self.message, tuple(self.facts.items()), self.retry_delay)
        return ((DETAILS_TRAILER, data),)


class RefusedCallError(CallFailedError, RefusedRequestError):
    """A call is refused: by the book, or because a field of the request cannot be read.

    Who catches RefusedRequestError gets what the ledger could not read and what a service refuses.
    """

    def __init__(self, refusal: Refusal) -> None:
        CallFailedError.__init__(
            self, CODES[refusal.kind], refusal.reason.name, str(refusal), dict(refusal.facts)
        )
        self.refusal = refusal


def failed(failure: Failure, retry_delay: float | None = None, /, **facts: object) -> CallFailedError:
    """Return the exception for a failure. The facts are its metadata, and fill in its sentence.

    ``retry_delay`` (seconds) is known more exactly than RETRY_DELAYS_S has it.
    """
    code, sentence = failure.value
    metadata = {name: str(value) for name, value in facts.items()}
    delay = RETRY_DELAYS_S.get(failure, 0.0) if retry_delay is None else retry_delay
    return CallFailedError(code, failure.name, sentence.format(**metadata), metadata, delay)
