"""The rests of reports: a book whose reports take slow turns leaves the process to others between two of them."""

import time
from typing import Final

from pathbook.ledger.store.views.retries import due_of, until_first

SLOW_TURN_S: Final = 0.05
SLOW_EVENT_S: Final = 0.001
"""A turn is slow if it takes longer than this, and an event of it longer than that, which is ten times the usual time.
That is so if stories do not fit in memory, and are told again for each turn."""

REST_TIMES: Final = 3
"""How many times as long as a slow turn the reports of a book rest after it, if others wait. Without, those that told
stories again took two thirds of a process that they shared with the views and the sealer."""

REST_MAX_S: Final = 5.0
"""How long a book rests at most."""


class Rests:
    """Which books rest, and how long. One thread uses it. Only how long a turn took may be told by others."""

    def __init__(self) -> None:
        self._wanted: dict[str, float] = {}
        self._until: dict[str, float] = {}

    def measured(self, book: str, events: int, seconds: float) -> None:
        """Note how long a turn took."""
        is_slow = seconds > SLOW_TURN_S and seconds > SLOW_EVENT_S * events
        self._wanted[book] = REST_TIMES * seconds if is_slow else 0.0

    def is_due(self, book: str) -> bool:
        """Tell whether the last turn of a book was slow."""
        return self._wanted.get(book, 0.0) > 0

    def begin(self, book: str) -> bool:
        """Let a book rest if its last turn was slow. Return whether it rests."""
        seconds = min(self._wanted.pop(book, 0.0), REST_MAX_S)
        if seconds:
            self._until[book] = time.monotonic() + seconds
        return bool(seconds)

    def is_resting(self, book: str) -> bool:
        """Tell whether a book rests, until `ended` returns it."""
        return book in self._until

    def ended(self) -> set[str]:
        """Return the books that rested long enough. They rest no longer."""
        found = due_of(self._until)
        for book in found:
            del self._until[book]
        return found

    def until_next(self, most: float) -> float:
        """Return how long (seconds) to wait for the next book to end its rest, at most so long."""
        return until_first(self._until, most)
