"""What the log says of calls that a limit refuses: a line now and then, since each such line would be a flood, too."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from pathbook.services.translate.statuses import Failure

LIMITED: Final = frozenset({Failure.CALLS_LIMITED.name, Failure.CODES_LIMITED.name})
"""The reasons of calls that a limit of their caller refuses."""

LOG_EVERY_S: Final = 10.0
"""How long such calls are only counted, after one of them was logged."""


class LimitedLog:
    """Counts the calls that a limit refuses. It belongs to the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_until: dict[str, float] = {}
        self._counts: Counter[str] = Counter()

    def counted(self, reason: str) -> bool:
        """Count a call that a limit refused for a reason, and return True, if such a call was logged a moment ago."""
        now = self._clock()
        if now < self._silent_until.get(reason, 0.0):
            self._counts[reason] += 1
            return True
        self._silent_until[reason] = now + LOG_EVERY_S
        return False

    def take(self, reason: str) -> int:
        """Return how many calls were counted for a reason since one was logged, and begin again to count."""
        return self._counts.pop(reason, 0)
