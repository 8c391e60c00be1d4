"""Callers that wait for a position of the views: a reader waits until the views hold what it wrote itself."""

import threading
from concurrent.futures import Future

from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.log.damage import EventDamagedError


class PositionWaiters:
    """The futures of callers that wait for positions of books. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: dict[str, list[tuple[int, Future[int]]]] = {}

    def add(self, book: str, position: int) -> Future[int]:
        """A future that gives the position of the book, as soon as that is at the given position or beyond."""
        future: Future[int] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
            else:
                self._waiting.setdefault(book, []).append((position, future))
        return future

    def books(self) -> set[str]:
        """The books that have waiting callers."""
        with self._lock:
            return set(self._waiting)

    def reached(self, book: str, position: int) -> None:
        """Complete the futures that wait for this position of the book or for an earlier one."""
        for future in self._take(book, 0, position):
            future.set_result(position)

    def failed(self, book: str, error: Exception) -> None:
        """Fail the futures that wait for the book, with the error that stops it.

        An event that stops the views does not keep them from the positions before it, so those waits go on.
        """
        first = error.position if isinstance(error, NewerEventError | EventDamagedError) else 0
        for future in self._take(book, first, None):
            future.set_exception(error)

    def ended(self, book: str, position: int, newer: NewerEventError) -> None:
        """End the waits for a book that this program follows no further, unless a newer program has projected it."""
        self.reached(book, position)
        if position < newer.position:
            self.failed(book, newer)

    def close(self) -> None:
        """Cancel all futures, those added later too."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, {}
        for _, future in (item for items in waiting.values() for item in items):
            future.cancel()

    def _take(self, book: str, first: int, last: int | None) -> list[Future[int]]:
        """Take out the futures that wait for one of the positions first .. last, or for any from ``first`` on."""
        with self._lock:
            waiting = [item for item in self._waiting.pop(book, []) if not item[1].cancelled()]
            due = [item for item in waiting if first <= item[0] and (last is None or item[0] <= last)]
            if len(due) < len(waiting):
                self._waiting[book] = [item for item in waiting if item not in due]
        return [future for _, future in due if future.set_running_or_notify_cancel()]
