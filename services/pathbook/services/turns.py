"""Turns of reads: a bulk read is done in slices, few slices run at once, and small reads that wait go first.

Threads of Python take turns at one lock. A thread that computes keeps it for 5 ms each time, and a small read needs it
several times. So what takes long must end often, and must not run beside itself.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, cast

READ_THREADS: Final = 8
"""How many small reads run at once. A path takes less than a millisecond, and more threads would only wait."""

SLICES_AT_ONCE: Final = 1
"""How many slices of bulk reads run at once. A second one would compute beside the first, and gain nothing."""

Result = TypeVar("Result")


class Turns:
    """Runs the reads of a server on threads: small ones at once, and slices of bulk reads in turns.

    A slice begins when the slices that came before it have ended, and then the small reads that had begun by then.
    So bulk reads share the server slice by slice, and a small read waits for one slice at most. Small reads that come
    later do not keep a slice waiting, so it always comes to its turn.
    """

    def __init__(self) -> None:
        self._small_threads = ThreadPoolExecutor(READ_THREADS, "reader")
        self._slice_threads = ThreadPoolExecutor(SLICES_AT_ONCE, "bulk reader")
        self._long_threads = ThreadPoolExecutor(1, "long reader")
        self._turn = asyncio.Semaphore(SLICES_AT_ONCE)  # its waiters go in the order in which they came
        self._small: set[asyncio.Future[object]] = set()

    def close(self) -> None:
        """End the threads; call this when no call is left. A read whose caller is gone is not waited for."""
        self._small_threads.shutdown(wait=False, cancel_futures=True)
        self._slice_threads.shutdown(wait=False, cancel_futures=True)
        self._long_threads.shutdown(wait=False, cancel_futures=True)

    async def small(self, work: Callable[[], Result]) -> Result:
        """Run a small read, and return its result."""
        read = in_context(self._small_threads, work)
        waiting = cast("asyncio.Future[object]", read)
        self._small.add(waiting)
        try:
            return await read
        finally:
            self._small.discard(waiting)

    async def long(self, work: Callable[[], Result]) -> Result:
        """Run a read that is of one snapshot and may take seconds, one after the other. It has to pause often."""
        return await asyncio.get_running_loop().run_in_executor(self._long_threads, work)

    async def small_reads_first(self) -> None:
        """Wait until the small reads that have begun have ended. A bulk read waits so before each of its answers."""
        if self._small:
            await asyncio.wait(tuple(self._small))

    async def slice(self, work: Callable[[], Result]) -> Result:
        """Run a slice of a bulk read in its turn, and return its result. A slice takes some milliseconds."""
        async with self._turn:
            await self.small_reads_first()
            return await in_context(self._slice_threads, work)


def in_context(threads: ThreadPoolExecutor, work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Run a function on a thread, with the context of the caller: what it logs has the id of the call."""
    run: Callable[[Callable[[], Result]], Result] = contextvars.copy_context().run
    return asyncio.get_running_loop().run_in_executor(threads, run, work)
