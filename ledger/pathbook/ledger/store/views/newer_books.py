"""Books with an event that is newer than this program: how far they are read, and what is told of them."""

from collections.abc import Iterable

import structlog

from pathbook.ledger.codec import NewerEventError, decode
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.store.log.stream import StoredEntry

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def decode_known(entries: Iterable[StoredEntry]) -> tuple[list[RecordedEvent], NewerEventError | None]:
    """Return the events of entries up to the first that is newer than this program, and the error for that one.

    Raises:
        pathbook.ledger.codec.MalformedEventError: the bytes of an entry are not an event.
    """
    events: list[RecordedEvent] = []
    for entry in entries:
        try:
            events.append(decode(entry.position, entry.data))
        except NewerEventError as error:
            return events, error
    return events, None


def log_newer(book: str, error: NewerEventError) -> None:
    """Log that a book is followed no further, and what to do."""
    _LOG.error(
        "a book has an event that is newer than this program, and is followed no further: update this program",
        book=book,
        position=error.position,
        field=error.field,
    )
