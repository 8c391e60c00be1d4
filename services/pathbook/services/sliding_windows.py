"""Rates, and what was done in the last time, as sliding windows: two numbers for each key."""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import msgspec

_RATE: Final = re.compile(
    r"\s*(\d+)\s*(?:/|per\s)\s*(\d*)\s*(second|minute|hour|day|month|year)s?\s*", re.IGNORECASE | re.ASCII
)

_SECONDS: Final = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "month": 30 * 86_400,
    "year": 360 * 86_400,
}


class Rate(msgspec.Struct, frozen=True):
    """A number for a time.

    Attributes:
        amount: how many.
        seconds: in how many seconds.
        shown: the rate in words, as "60 per 1 minute".
    """

    amount: int
    seconds: int
    shown: str


def parse_rate(text: str) -> Rate:
    """Return the rate in a text such as "60/minute" or "5 per 2 seconds". Raises ValueError if it is none."""
    found = _RATE.fullmatch(text)
    times = int(found[2] or 1) if found else 0
    if found is None or times == 0:
        raise ValueError(f"'{text}' is no rate such as 60/minute or 5/2 seconds")
    unit = found[3].lower()
    return Rate(int(found[1]), times * _SECONDS[unit], f"{int(found[1])} per {times} {unit}")


class SlidingWindow:
    """Keeps to a rate for each key. Threads may share it.

    Of the window before this one, the part counts that is not longer ago than a window lasts, as if what was done in it
    had been spread evenly. Keys that did nothing in both windows are forgotten when a window begins.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._lock = threading.Lock()
        self._window = 0
        self._present: defaultdict[str, int] = defaultdict(int)
        self._before: defaultdict[str, int] = defaultdict(int)

    def wait_s(self, key: str, count: int = 1) -> float:
        """Return after how many seconds a key may do so many more: 0 if it may now. Nothing is counted."""
        with self._lock:
            return self._wait_s(key, count)

    def take(self, key: str, count: int = 1) -> float:
        """Count so many for a key, and return 0. If it may not, count nothing, and return as `wait_s`."""
        with self._lock:
            wait = self._wait_s(key, count)
            if not wait:
                self._present[key] += count
            return wait

    def _wait_s(self, key: str, count: int) -> float:
        amount, seconds = self._rate.amount, self._rate.seconds
        window, since = divmod(self._clock(), seconds)
        if window != self._window:
            self._before = self._present if window == self._window + 1 else defaultdict(int)
            self._present, self._window = defaultdict(int), int(window)
        if count > amount:
            return seconds
        present, before, left = self._present.get(key, 0), self._before.get(key, 0), seconds - since
        room = amount - count - present
        if room < 0:  # not before the next window, in which the present one will be the one before
            return left + seconds * (1 - (amount - count) / present)
        if before * left <= room * seconds:
            return 0.0
        return left - room * seconds / before
