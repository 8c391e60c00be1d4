"""How what other threads have done reaches the event loop: one wake-up for all that is done together."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class LoopFutures(Generic[Result]):
    """Turns futures of threads into those of the event loop it is used in.

    ``asyncio.wrap_future`` wakes the loop for each future. A writer has the outcomes of a whole group at once, and
    to wake the loop costs as much as to decide.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived: list[tuple[asyncio.Future[Result], Future[Result]]] = []

    def expect(self, work: Future[Result]) -> asyncio.Future[Result]:
        """Return a future that is done when the work is; who cancels it does not cancel the work."""
        loop = asyncio.get_running_loop()
        expected: asyncio.Future[Result] = loop.create_future()

        def arrive(done: Future[Result]) -> None:
            with self._lock:
                self._arrived.append((expected, done))
                if len(self._arrived) > 1:
                    return  # the loop has been woken, and has not come yet
            loop.call_soon_threadsafe(self._deliver)

        work.add_done_callback(arrive)
        return expected

    def _deliver(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        for expected, done in arrived:
            if expected.cancelled():
                continue
            if (error := done.exception()) is None:
                expected.set_result(done.result())
            else:
                expected.set_exception(error)
