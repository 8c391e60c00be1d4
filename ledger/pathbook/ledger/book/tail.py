"""The tail of a book: its newest events, which the views may lack and its writer keeps in memory."""

import itertools
from collections import deque
from collections.abc import Iterator

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.moves import changed_ranges

TAIL_MAX_EVENTS = 20_000
"""How many events the views may lag behind. Beyond it writes pause, because these events are kept in memory."""

TAIL_MAX_RANGES = 500_000
"""How many ranges these events may change, at some 300 bytes each with their runs. One event may change 10,000."""

TAIL_KEPT_EVENTS = 256
"""A tail of up to this many events is kept whole. To read how much the views hold costs as much as a small group."""

TAIL_KEPT_RANGES = 20_000
"""How many ranges they change at most. To read how much the views hold costs less than they take."""


class Tail:
    """The events after a position, all of them. Threads must not share it.

    Attributes:
        ranges: how many ranges of units they change.
    """

    def __init__(self) -> None:
        """Begin with no event."""
        self._events: deque[tuple[RecordedEvent, int]] = deque()
        self._by_request: dict[bytes, RecordedEvent] = {}
        self.ranges = 0

    def __len__(self) -> int:
        """Return how many events it has."""
        return len(self._events)

    @property
    def is_too_long(self) -> bool:
        """Whether writes must wait until the views hold more of it."""
        return len(self._events) > TAIL_MAX_EVENTS or self.ranges > TAIL_MAX_RANGES

    @property
    def is_kept_whole(self) -> bool:
        """Whether it is so short that it need not be known how much of it the views hold."""
        return len(self._events) <= TAIL_KEPT_EVENTS and self.ranges <= TAIL_KEPT_RANGES

    def append(self, recorded: RecordedEvent) -> None:
        """Add the next event."""
        ranges = len(changed_ranges(recorded.event))
        self._events.append((recorded, ranges))
        self._by_request[recorded.request] = recorded
        self.ranges += ranges

    def pop(self) -> RecordedEvent:
        """Take back the newest event."""
        recorded, ranges = self._events.pop()
        del self._by_request[recorded.request]
        self.ranges -= ranges
        return recorded

    def begins_after(self, position: int) -> bool:
        """Tell whether all of its events come after a position."""
        return not self._events or self._events[0][0].position > position

    def drop_through(self, position: int) -> None:
        """Drop the events up to a position."""
        while not self.begins_after(position):
            recorded, ranges = self._events.popleft()
            self._by_request.pop(recorded.request, None)
            self.ranges -= ranges

    def answer(self, request: bytes) -> RecordedEvent | None:
        """Return the event that answered a request, or None if it has no such event."""
        return self._by_request.get(request)

    def unseen(self, requests: set[bytes]) -> set[bytes]:
        """Return those of some requests that none of its events answered."""
        return requests.difference(self._by_request)

    def without(self, count: int) -> Iterator[RecordedEvent]:
        """Yield its events, without so many at the beginning."""
        return (recorded for recorded, _ in itertools.islice(self._events, count, None))
