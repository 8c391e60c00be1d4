"""Writes what calls left to be written, every few seconds, so that no answer costs a write of its own.

A server that is killed loses what waited.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import ClassVar, Final, Generic, TypeVar

import structlog

STOP_TIMEOUT_S: Final = 2.0
"""How long a write is waited for at most, also by a server that stops."""

_Waiting = TypeVar("_Waiting")

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class LateWriting(ABC, Generic[_Waiting]):
    """What waits in a server process to be written. It belongs to the event loop."""

    every_seconds: ClassVar[float]
    """How often what waits is written."""

    lost: ClassVar[str]
    """What is logged when a server stops, and the last of it cannot be written."""

    kept_waiting: ClassVar[str]
    """What is logged when nothing can be written, once until something was."""

    def __init__(self) -> None:
        self._writing: asyncio.Task[None] | None = None
        self._adding: asyncio.Task[None] | None = None

    @abstractmethod
    def _take(self) -> _Waiting | None:
        """Return what waits, which then waits no more, or None if nothing does."""

    @abstractmethod
    async def _add(self, taken: _Waiting) -> None:
        """Write what was taken."""

    @abstractmethod
    def _put_back(self, taken: _Waiting) -> None:
        """Let what was taken wait again, beside what came since."""

    def start(self) -> None:
        """Write from now on."""
        self._writing = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """Write what waits, and no more."""
        if self._writing is not None:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.write()
            except Exception as error:  # noqa: BLE001 - a server stops, whatever its database does
                _LOG.warning(self.lost, cause=str(error))

    async def write(self) -> None:
        """Write what waits. What cannot be written waits on.

        A caller that no longer waits for this stops only its waiting: a thread goes on to write, so the next call waits
        for the same one. Written twice, one thing would count as two.
        """
        while self._adding is not None:
            await asyncio.shield(self._adding)
        if (taken := self._take()) is not None:
            self._adding = asyncio.create_task(self._add_or_put_back(taken))
            await asyncio.shield(self._adding)

    async def _add_or_put_back(self, taken: _Waiting) -> None:
        try:
            await self._add(taken)
        except BaseException:
            self._put_back(taken)
            raise
        finally:
            self._adding = None

    async def _go_on(self) -> None:
        is_reached = True
        while True:
            await asyncio.sleep(self.every_seconds)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.write()
            except Exception as error:  # noqa: BLE001 - calls fail, too, while the database is away
                if is_reached:
                    _LOG.warning(self.kept_waiting, cause=str(error))
                is_reached = False
            else:
                is_reached = True
