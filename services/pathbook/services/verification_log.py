"""Counts verifications of printed codes, by unit, hour and class of caller.

Counts are gathered in memory, and written every few seconds, so that an answer costs no write of its own. A server that
is killed loses those of its last seconds.
"""

import asyncio
import contextlib
from collections import Counter, defaultdict
from typing import Final

import structlog

from pathbook.ledger.reports.verified import OTHER_UNITS, PUBLIC
from pathbook.ledger.store.log.verifications import HOUR_US, Count, Verifications
from pathbook.services.access.callers import KnownBy, current_caller
from pathbook.services.clock import now
from pathbook.services.gateway import Gateway

WRITE_EVERY_S: Final = 5.0
"""How often what was counted is written."""

STOP_TIMEOUT_S: Final = 2.0
"""How long a server that stops waits at most until the last counts are written."""

WAITING_MAX: Final = 20_000
"""How many different counts wait to be written at most. Further units are counted together, for each batch."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class VerificationLog:
    """The counts of a server process that wait to be written. It belongs to the event loop."""

    def __init__(self, verifications: Verifications, gateway: Gateway) -> None:
        self._verifications, self._gateway = verifications, gateway
        self._waiting: Counter[tuple[str, int, int, int, str]] = Counter()
        self._writing: asyncio.Task[None] | None = None
        self._adding: asyncio.Task[None] | None = None

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
                _LOG.warning("the last verifications are not counted", cause=str(error))

    def note(self, book: str, batch: int, number: int) -> None:
        """Count an answer about a printed code to the caller of this call. Of the caller only its class is kept."""
        caller = current_caller()
        kind = PUBLIC if caller.known_by is KnownBy.OPEN_SERVER else caller.role.value
        key = (book, batch, number, now() // HOUR_US, kind)
        if len(self._waiting) >= WAITING_MAX and key not in self._waiting:
            key = (book, batch, OTHER_UNITS, *key[3:])
        self._waiting[key] += 1

    async def write(self) -> None:
        """Write what waits. What cannot be written waits on.

        A caller that no longer waits for this stops only its waiting: a thread goes on to write, so the next call waits
        for the same one. Written twice, one verification would count as two.
        """
        while self._adding is not None:
            await asyncio.shield(self._adding)
        if self._waiting:
            waiting, self._waiting = self._waiting, Counter()
            self._adding = asyncio.create_task(self._add(waiting))
            await asyncio.shield(self._adding)

    async def _add(self, waiting: Counter[tuple[str, int, int, int, str]]) -> None:
        counts: defaultdict[str, list[Count]] = defaultdict(list)
        for (book, batch, number, hour, kind), times in waiting.items():
            counts[book].append((batch, number, hour, kind, times))
        try:
            await self._gateway.run(self._verifications.add, counts, now())
        except BaseException:
            self._waiting.update(waiting)
            raise
        finally:
            self._adding = None

    async def _go_on(self) -> None:
        is_reached = True
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.write()
            except Exception as error:  # noqa: BLE001 - calls fail, too, while the database is away
                if is_reached:
                    _LOG.warning(
                        "verifications are not counted, because the database fails", cause=str(error)
                    )
                is_reached = False
            else:
                is_reached = True
