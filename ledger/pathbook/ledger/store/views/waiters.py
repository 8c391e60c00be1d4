"""Positions that callers wait for: a reader asks for views that know at least what it wrote itself."""

import threading
from concurrent.futures import Future


class PositionWaiters:
    """Who waits for which position of which book. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: dict[str, list[tuple[int, Future[int]]]] = {}

    def add(self, book: str, position: int) -> Future[int]:
        """A future that will be where the book stands, as soon as that is at the position or beyond."""
        future: Future[int] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
            else:
                self._waiting.setdefault(book, []).append((position, future))
        return future

    def books(self) -> set[str]:
        """The books that anybody waits for."""
        with self._lock:
            return set(self._waiting)

    def reached(self, book: str, position: int) -> None:
        """Tell all who wait for this position of the book or for one before it."""
        for future in self._take(book, position):
            future.set_result(position)

    def failed(self, book: str, error: Exception) -> None:
        """Tell all who wait for the book why it does not go on."""
        for future in self._take(book, None):
            future.set_exception(error)

    def close(self) -> None:
        """Cancel whatever is waited for, now and from now on."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, {}
        for _, future in (item for items in waiting.values() for item in items):
            future.cancel()

    def _take(self, book: str, position: int | None) -> list[Future[int]]:
        with self._lock:
            waiting = [item for item in self._waiting.pop(book, []) if not item[1].cancelled()]
            due = [item for item in waiting if position is None or item[0] <= position]
            if len(due) < len(waiting):
                self._waiting[book] = [item for item in waiting if item not in due]
        return [future for _, future in due if future.set_running_or_notify_cancel()]
