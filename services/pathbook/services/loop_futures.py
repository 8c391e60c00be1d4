"""Passes results of other threads to the event loop, with one wake-up for all that are ready together."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class LoopFutures(Generic[Result]):
    """Turns futures of threads into futures of the running event loop.

    ``asyncio.wrap_future`` wakes the loop for each future. A writer has the outcomes of a whole group at once. To
    wake the loop takes as long as to decide a command.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: list[tuple[asyncio.Future[Result], Future[Result]]] = []

    def expect(self, work: Future[Result]) -> asyncio.Future[Result]:
        """Return a future of the loop that is done when the work is. To cancel it does not cancel the work."""
        loop = asyncio.get_running_loop()
        expected: asyncio.Future[Result] = loop.create_future()

        def add_ready(done: Future[Result]) -> None:
            with self._lock:
                self._ready.append((expected, done))
                if len(self._ready) > 1:
                    return  # the loop is already woken, and will take this one too
            loop.call_soon_threadsafe(self._deliver)

        work.add_done_callback(add_ready)
        return expected

    def _deliver(self) -> None:
        with self._lock:
            ready, self._ready = self._ready, []
        for expected, done in ready:
            if expected.cancelled():
                continue
            if (error := done.exception()) is None:
                expected.set_result(done.result())
            else:
                expected.set_exception(error)
