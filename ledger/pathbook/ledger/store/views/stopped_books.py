"""Books that are followed no further, because an event is newer than this program, or damaged: what is told of them."""

from typing import Final, TypeAlias

import structlog

from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.entries import entries_after
from pathbook.ledger.store.log.event_hashes import StoredEntry, read_event
from pathbook.ledger.store.log.stream import Stream

StoppingError: TypeAlias = NewerEventError | EventDamagedError
"""Why a book is followed no further than the event before ``position``."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


RANGES_MAX: Final = 10_000
"""How many ranges of units the events of a group change, and its last event some more: it may have 10,000. Each takes a
kilobyte or so until it is written."""


def read_known(
    stream: Stream, book: str, after: int, limit: int
) -> tuple[list[RecordedEvent], StoppingError | None]:
    """Return the next events after a position, up to one that stops the book, and the error for that one.

    They are at most ``limit``, and fewer if they change many ranges.

    Raises:
        pathbook.ledger.codec.MalformedEventError: the bytes of an entry are those that were written, but not an event.
    """
    events: list[RecordedEvent] = []
    ranges, damages = 0, list[EventDamagedError]()

    def read(after: int, count: int) -> list[StoredEntry]:
        try:
            return stream.read(book, after, count)
        except EventDamagedError as error:
            damages.append(error)
            whole = error.position - 1 - after
            return stream.read(book, after, whole) if whole > 0 else []

    for entry in entries_after(read, after, limit):
        try:
            recorded = read_event(book, entry)
        except (NewerEventError, EventDamagedError) as error:
            return events, error
        events.append(recorded)
        ranges += len(changed_ranges(recorded.event))
        if ranges >= RANGES_MAX:
            return events, None
    return events, damages[0] if damages else None


class StoppedBooks:
    """Why each book that is followed no further is not. Threads may share it."""

    def __init__(self) -> None:
        self._errors: dict[str, StoppingError] = {}

    def get(self, book: str) -> StoppingError | None:
        """Return why a book is followed no further, or None."""
        return self._errors.get(book)

    def damage(self, book: str) -> EventDamagedError | None:
        """Return the damage that a book is followed no further for, or None."""
        error = self._errors.get(book)
        return error if isinstance(error, EventDamagedError) else None

    def stop(self, book: str, error: StoppingError) -> None:
        """Note that a book is followed no further, and log it once."""
        before = self._errors.get(book)
        self._errors[book] = error
        if type(before) is not type(error) or before.position != error.position:
            _log_stopped(book, error)

    def go_on(self, book: str) -> None:
        """Note that a book is followed again, as its log was mended."""
        if self._errors.pop(book, None) is not None:
            _LOG.warning("a book is followed again", book=book)

    def within_reach(self, book: str, head: int) -> int:
        """Return the last position up to a head that this program can project."""
        error = self._errors.get(book)
        return head if error is None else min(head, error.position - 1)


def log_failure(what: str, error: Exception, retry_seconds: float, **facts: str) -> None:
    """Log that something failed, and that it is tried again. Damage is no bug, so it has no traceback."""
    if isinstance(error, DatabaseDamagedError):
        _LOG.error(what, cause=str(error), **facts)
    else:
        _LOG.error(what, retry_seconds=retry_seconds, exc_info=error, **facts)


def _log_stopped(book: str, error: StoppingError) -> None:
    """Log that a book is followed no further, and what to do."""
    if isinstance(error, EventDamagedError):
        _LOG.error(
            "a book has a damaged event, and is followed no further: restore the log from a backup (pathbook restore)",
            book=book,
            position=error.position,
            problem=error.problem,
            kept=error.kept.hex(),
            found=error.found.hex(),
        )
        return
    _LOG.error(
        "a book has an event that is newer than this program, and is followed no further: update this program",
        book=book,
        position=error.position,
        field=error.field,
    )
