"""The clock of a book: what the writer asks of it, and the errors of a clock that cannot be believed.

A plain clock is believed whatever it says. A guarded clock (a server has one) refuses a time that is far from the
times that it knows, so that nothing is recorded, and no offer lapses, at a time that never was.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

CLOCK_JUMP_MAX_US = 86_400_000_000
"""How far (microseconds) a clock may be from the time that is expected: one day. Beyond it, an operator decides."""

Clock = Callable[[], int]
"""Returns microseconds since 1970 UTC. A guarded clock raises ClockJumpedError instead of a time that it refuses."""


@runtime_checkable
class GuardedClock(Protocol):
    """A clock that also knows whether a book may be written after its last event."""

    def after(self, book: str, last_event: int) -> int:
        """Return the time, or that of the last event of the book (0: none) if it is later.

        Raises:
            ClockJumpedError: the clock cannot be believed.
            EventsAheadError: the last event lies too far ahead of the clock.
        """


class UntrueTimeError(Exception):
    """The clock and what is recorded disagree about the time. Nothing is written until that is settled."""


class ClockJumpedError(UntrueTimeError):
    """The clock says ``now``. That is too far from the time that it should be near, ``expected`` (microseconds)."""

    def __init__(self, now: int, expected: int) -> None:
        super().__init__(f"The clock says {now}, but the time should be near {expected} (microseconds).")
        self.now = now
        self.expected = expected


class EventsAheadError(UntrueTimeError):
    """The last event of a book was recorded at ``last_event``, which is too far ahead of the clock, ``now``."""

    def __init__(self, book: str, now: int, last_event: int) -> None:
        super().__init__(
            f"The last event of book {book} is of {last_event}, but the clock says {now} (microseconds)."
        )
        self.book = book
        self.now = now
        self.last_event = last_event


def time_after(clock: Clock, book: str, last_event: int) -> int:
    """Return the time of the next event of a book: never before its last one. Raises as ``GuardedClock.after``."""
    if isinstance(clock, GuardedClock):
        return clock.after(book, last_event)
    return max(clock(), last_event)
