"""Limits of what callers may do in a time, by their class and for each address. They are kept by each process alone."""

import asyncio
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from pathbook.services.callers import PUBLIC, Caller
from pathbook.services.rates import DEFAULT_LIMITS, ClassLimits, Rates
from pathbook.services.sliding_windows import SlidingWindow, parse_rate
from pathbook.services.translate.statuses import CallFailedError, Failure, failed

PAUSE_MAX_S: Final = 0.5
"""How long a stream that is slowed sleeps at most before it looks again."""

RETRY_STEP_S: Final = 0.1
"""A caller is told a multiple of this delay, so that many refusals are the same, and their bytes are made once."""


class _ClassWindows:
    """What the callers of a class did, and the limits of it."""

    def __init__(self, of_class: ClassLimits) -> None:
        self.calls, self.misses, self.bytes = map(
            parse_rate, (of_class.calls, of_class.misses, of_class.bytes)
        )
        self.streams = of_class.streams
        self.called, self.missed, self.sent = map(SlidingWindow, (self.calls, self.misses, self.bytes))


class RateLimits(Rates):
    """Keeps the limits of a process. Threads may share it.

    Servers that share a port share no counts: N of them let an address do up to N times as much.
    """

    def __init__(self, of_classes: Mapping[str, ClassLimits]) -> None:
        self._windows = {
            name: _ClassWindows(of_class) for name, of_class in {**DEFAULT_LIMITS, **of_classes}.items()
        }

    def require_call(self, caller: Caller) -> None:
        """Count a call of a caller on another machine."""
        if caller.is_local:
            return
        of_class = self._of(caller)
        if wait := of_class.called.take(caller.address):
            raise _limited(Failure.CALLS_LIMITED, wait, of_class.calls.shown)

    def require_question(self, caller: Caller) -> None:
        """Let a caller ask about a code, unless it has missed too often. Then it learns nothing, even by a hit."""
        of_class = self._of(caller)
        if wait := of_class.missed.wait_s(_guesser(caller)):
            raise _limited(Failure.CODES_LIMITED, wait, of_class.misses.shown)

    def missed(self, caller: Caller) -> None:
        """Count a miss."""
        self._of(caller).missed.take(_guesser(caller))

    async def pace(self, caller: Caller, size: int) -> None:
        """Wait until a caller on another machine may get so many bytes."""
        if caller.is_local:
            return
        of_class = self._of(caller)
        cost = min(size, of_class.bytes.amount)  # what is larger than the rate takes the whole of it
        while wait := of_class.sent.take(caller.address, cost):  # noqa: ASYNC110 - time passes, no event
            await asyncio.sleep(min(PAUSE_MAX_S, max(wait, RETRY_STEP_S)))

    def streams(self, caller: Caller) -> int | None:
        """Return how many streams a caller on another machine may have open at once."""
        return None if caller.is_local else self._of(caller).streams

    def _of(self, caller: Caller) -> _ClassWindows:
        return self._windows.get(caller.kind) or self._windows[PUBLIC]


def _limited(failure: Failure, wait: float, limit: str) -> CallFailedError:
    return failed(failure, math.ceil(wait / RETRY_STEP_S) * RETRY_STEP_S, limit=limit)


def _guesser(caller: Caller) -> str:
    """Return whose misses count together: those of one known caller, or else of all unknown ones at one address."""
    return caller.name or caller.address


def read_limits(path: Path) -> dict[str, ClassLimits]:
    """Return the limits in a TOML file, which has a table for each class that differs from the default.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file. The message says why.
    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), dict[str, ClassLimits])
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    for of_class in found.values():
        _ClassWindows(of_class)
    return found
