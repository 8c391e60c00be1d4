"""Tells open calls that the server is stopping, so that they stop waiting."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from pathbook.services.translate.statuses import Failure, failed

Result = TypeVar("Result")


class Drain:
    """Begins once, when the server is told to stop. Every stream checks it, or waits through it, for its next piece."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """End the waiting of all calls."""
        self._begun.set()

    def check(self) -> None:
        """Raise CallFailedError, which asks the caller to retry, if the server is stopping."""
        if self._begun.is_set():
            raise failed(Failure.SERVER_STOPPING)

    async def unless_begun(self, awaited: Awaitable[Result]) -> Result:
        """Return the awaited result. Raises CallFailedError as soon as the server stops."""
        work = asyncio.ensure_future(awaited)
        stop = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.check()
            return work.result()
        finally:
            work.cancel()
            stop.cancel()
