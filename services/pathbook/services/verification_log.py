"""Counts verifications of printed codes, by unit, hour and class of caller.

Counts are gathered in memory, and written every few seconds (`pathbook.services.late_writing`).
"""

from collections import Counter, defaultdict
from typing import Final, TypeAlias

from pathbook.ledger.reports.verified import OTHER_UNITS, PUBLIC
from pathbook.ledger.store.log.verifications import HOUR_US, Count, Verifications
from pathbook.services.access.callers import KnownBy, current_caller
from pathbook.services.clock import now
from pathbook.services.gateway import Gateway
from pathbook.services.late_writing import LateWriting

WRITE_EVERY_S: Final = 5.0
"""How often what was counted is written."""

WAITING_MAX: Final = 20_000
"""How many different counts wait to be written at most. Further units are counted together, for each batch."""

_Counted: TypeAlias = tuple[str, int, int, int, str]
"""Book, batch, number of the unit, hour and class of the caller."""


class VerificationLog(LateWriting[Counter[_Counted]]):
    """The counts of a server process that wait to be written. It belongs to the event loop."""

    every_seconds = WRITE_EVERY_S
    lost = "the last verifications are not counted"
    kept_waiting = "verifications are not counted, because the database fails"

    def __init__(self, verifications: Verifications, gateway: Gateway) -> None:
        super().__init__()
        self._verifications, self._gateway = verifications, gateway
        self._waiting: Counter[_Counted] = Counter()

    def note(self, book: str, batch: int, number: int) -> None:
        """Count an answer about a printed code to the caller of this call. Of the caller only its class is kept."""
        caller = current_caller()
        kind = PUBLIC if caller.known_by is KnownBy.OPEN_SERVER else caller.role.value
        key = (book, batch, number, now() // HOUR_US, kind)
        if len(self._waiting) >= WAITING_MAX and key not in self._waiting:
            key = (book, batch, OTHER_UNITS, *key[3:])
        self._waiting[key] += 1

    def _take(self) -> Counter[_Counted] | None:
        if not self._waiting:
            return None
        taken, self._waiting = self._waiting, Counter()
        return taken

    async def _add(self, taken: Counter[_Counted]) -> None:
        counts: defaultdict[str, list[Count]] = defaultdict(list)
        for (book, batch, number, hour, kind), times in taken.items():
            counts[book].append((batch, number, hour, kind, times))
        await self._gateway.run(self._verifications.add, counts, now())

    def _put_back(self, taken: Counter[_Counted]) -> None:
        self._waiting.update(taken)
