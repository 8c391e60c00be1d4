"""When a follower retries the books that it could not update: at once after a lost connection, then less and less."""

import time
from collections.abc import Mapping

from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.failures import OutageLog
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.views.stopped_books import log_failure

FIRST_RETRY_DELAY_S = 0.1
"""How long a follower waits after the second failure in a row. Each further pause is twice as long."""

MAX_RETRY_DELAY_S = 1.0
"""How long it waits at most for a database that is away, busy, full or read-only."""

BUG_RETRY_DELAY_S = 5.0
"""How long it waits after any other error, which a retry hardly cures."""


def due_of(times: Mapping[str, float]) -> set[str]:
    """Return the books whose time, by `time.monotonic`, has come."""
    now = time.monotonic()
    return {book for book, at in times.items() if at <= now}


def until_first(times: Mapping[str, float], most: float) -> float:
    """Return how long (seconds) to wait for the first of these times, at most so long."""
    return max(0.0, min([most, *(at - time.monotonic() for at in times.values())]))


class Retries:
    """The books that failed, each with the time of its next retry. One thread uses it."""

    def __init__(self, outages: OutageLog, what: str = "updating the views of a book failed") -> None:
        """Log failures as ``what``."""
        self._outages, self._what = outages, what
        self._failures: dict[str, int] = {}
        self._retry_at: dict[str, float] = {}
        self._lasting: dict[str, Exception] = {}

    def failed(self, book: str, error: Exception) -> bool:
        """Log that a book failed, and plan its retry. Return false if it is retried at once."""
        if isinstance(error, EventDamagedError | DatabaseDamagedError) or not self._outages.tell(error):
            if not isinstance(error, EventDamagedError):  # that is logged where the book stops
                what = self._what if book else "listing the books failed"
                log_failure(what, error, BUG_RETRY_DELAY_S, book=book)
            self._lasting[book] = error
            self._retry_at[book] = time.monotonic() + BUG_RETRY_DELAY_S
            return True
        failures = self._failures[book] = self._failures.get(book, 0) + 1
        delay = FIRST_RETRY_DELAY_S * 2 ** (failures - 2) if failures > 1 else 0.0
        self._retry_at[book] = time.monotonic() + min(delay, MAX_RETRY_DELAY_S)
        return failures > 1

    def succeeded(self, book: str) -> None:
        """Forget the failures of a book, and log that the database works again if no other book has any."""
        had_trouble = book in self._failures
        self.forget(book)
        if had_trouble and not self._failures:
            self._outages.over()

    def forget(self, book: str) -> None:
        """Forget the failures of a book, which is not to be retried."""
        self._retry_at.pop(book, None)
        self._failures.pop(book, None)
        self._lasting.pop(book, None)

    def lasting(self, book: str) -> Exception | None:
        """Return the damage that a book met, which does not pass by itself, or None."""
        error = self._lasting.get(book)
        return error if isinstance(error, EventDamagedError | DatabaseDamagedError) else None

    def is_early(self, book: str) -> bool:
        """Tell whether the next retry of a book is still to come."""
        return time.monotonic() < self._retry_at.get(book, 0.0)

    def due(self) -> set[str]:
        """Return the books that are to be retried now."""
        return due_of(self._retry_at)

    def until_next(self, most: float) -> float:
        """Return how long (seconds) to wait for the next retry, at most so long."""
        return until_first(self._retry_at, most)
