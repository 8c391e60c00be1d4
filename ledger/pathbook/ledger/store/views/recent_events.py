"""The events that the views took last, decoded, for reports that come some groups after them."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.moves import changed_ranges

RECENT_MAX: Final = 20_000
"""How many events and changed ranges are kept, of one book, in some 20 MB. A report that is further behind reads its
events from the log, and decodes them again."""


class RecentEvents:
    """The last events of the book that the views took last. Threads may share it."""

    def __init__(self, limit: int = RECENT_MAX) -> None:
        """Keep so many events and changed ranges at most."""
        self._limit = limit
        self._taking = threading.Lock()
        self._book, self._size = "", 0
        self._groups: deque[tuple[Sequence[RecordedEvent], int]] = deque()

    def add(self, book: str, events: Sequence[RecordedEvent]) -> None:
        """Keep the events that the views have just taken. Others are dropped, unless these follow them."""
        size = len(events) + sum([len(changed_ranges(recorded.event)) for recorded in events])
        with self._taking:
            if book != self._book or (self._groups and self._last + 1 != events[0].position):
                self._clear()
            self._book = book
            self._groups.append((events, size))
            self._size += size
            while self._size > self._limit:
                self._size -= self._groups.popleft()[1]

    def after(self, book: str, position: int, limit: int) -> list[RecordedEvent]:
        """Return at most so many of the events after a position, in order. None if the first of them is not kept."""
        found: list[RecordedEvent] = []
        with self._taking:
            if book != self._book or not self._groups or position + 1 < self._groups[0][0][0].position:
                return found
            for events, _ in self._groups:
                begin = position + 1 - events[0].position
                if begin < len(events):
                    found += events[begin : begin + limit - len(found)]
                    position = events[-1].position
                if len(found) == limit:
                    break
        return found

    def clear(self) -> None:
        """Drop all events."""
        with self._taking:
            self._clear()

    @property
    def _last(self) -> int:
        return self._groups[-1][0][-1].position

    def _clear(self) -> None:
        self._groups.clear()
        self._size = 0
