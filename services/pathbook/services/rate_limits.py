"""Limits of what callers may do in a time, by their class and for each address. They are kept by each process alone."""

import asyncio
import math
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import limits
import msgspec
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from pathbook.services.callers import PUBLIC, Caller
from pathbook.services.rates import DEFAULT_LIMITS, ClassLimits, Rates
from pathbook.services.translate.statuses import CallFailedError, Failure, failed

PAUSE_MAX_S: Final = 0.5
"""How long a stream that is slowed sleeps at most before it looks again."""

RETRY_STEP_S: Final = 0.1
"""A caller is told a multiple of this delay, so that many refusals are the same, and their bytes are made once."""


class _Parsed:
    """The limits of a class, as the library has them."""

    def __init__(self, of_class: ClassLimits) -> None:
        self.calls, self.misses = limits.parse(of_class.calls), limits.parse(of_class.misses)
        self.bytes, self.streams = limits.parse(of_class.bytes), of_class.streams


class RateLimits(Rates):
    """Keeps the limits of a process. Threads may share it.

    Servers that share a port share no counts: N of them let an address do up to N times as much.
    """

    def __init__(self, of_classes: Mapping[str, ClassLimits]) -> None:
        self._parsed = {
            name: _Parsed(of_class) for name, of_class in {**DEFAULT_LIMITS, **of_classes}.items()
        }
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def require_call(self, caller: Caller) -> None:
        """Count a call of a caller on another machine."""
        if caller.is_local:
            return
        rate = self._of(caller).calls
        if not self._limiter.hit(rate, "calls", caller.address):
            raise self._failed(Failure.CALLS_LIMITED, rate, "calls", caller.address)

    def require_question(self, caller: Caller) -> None:
        """Let a caller ask about a code, unless it has missed too often. Then it learns nothing, even by a hit."""
        rate = self._of(caller).misses
        if not self._limiter.test(rate, "misses", _guesser(caller)):
            raise self._failed(Failure.CODES_LIMITED, rate, "misses", _guesser(caller))

    def missed(self, caller: Caller) -> None:
        """Count a miss."""
        self._limiter.hit(self._of(caller).misses, "misses", _guesser(caller))

    async def pace(self, caller: Caller, size: int) -> None:
        """Wait until a caller on another machine may get so many bytes."""
        if caller.is_local:
            return
        rate = self._of(caller).bytes
        cost = min(size, rate.amount)  # what is larger than the rate takes the whole of it
        while not self._limiter.hit(rate, "bytes", caller.address, cost=cost):  # noqa: ASYNC110 - time passes, no event
            await asyncio.sleep(min(PAUSE_MAX_S, self._wait(rate, "bytes", caller.address)))

    def streams(self, caller: Caller) -> int | None:
        """Return how many streams a caller on another machine may have open at once."""
        return None if caller.is_local else self._of(caller).streams

    def _of(self, caller: Caller) -> _Parsed:
        return self._parsed.get(caller.kind) or self._parsed[PUBLIC]

    def _wait(self, rate: limits.RateLimitItem, what: str, whose: str) -> float:
        reset = self._limiter.get_window_stats(rate, what, whose).reset_time
        return max(1, math.ceil((reset - time.time()) / RETRY_STEP_S)) * RETRY_STEP_S

    def _failed(self, failure: Failure, rate: limits.RateLimitItem, what: str, whose: str) -> CallFailedError:
        return failed(failure, self._wait(rate, what, whose), limit=str(rate))


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
        _Parsed(of_class)
    return found
