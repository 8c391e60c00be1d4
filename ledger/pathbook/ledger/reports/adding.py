"""Sums by a key that are added up while events are told, as a report's ``fold`` returns them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from pathbook.ledger.reports.report import SumRow
from pathbook.ledger.reports.story import ToldEvent

Key = tuple[int | str, ...]
"""The columns of a key, without the book."""

DAY_US = 86_400_000_000
"""A day in microseconds. Days of reports are counted from 1970-01-01 UTC."""


class Adding:
    """Sums by a key, all 0 at first."""

    __slots__ = ("_count", "sums")

    def __init__(self, count: int) -> None:
        """Take the number of sums of a row."""
        self._count = count
        self.sums: dict[Key, list[int]] = {}

    def add(self, key: Key, *amounts: int) -> None:
        """Add an amount to each sum of a row."""
        sums = self.sums.get(key)
        if sums is None:
            sums = self.sums[key] = [0] * self._count
        for index, amount in enumerate(amounts):
            sums[index] += amount

    def rows(self) -> Iterator[SumRow]:
        """Yield the rows to which something was added that did not cancel out."""
        return ((*key, *sums) for key, sums in self.sums.items() if any(sums))


class Changes(Protocol):
    """What a sequence of events adds to the sums of a report."""

    adding: Adding

    def add(self, told: ToldEvent) -> None:
        """Add what the next event changes."""


def folding(changes: Callable[[], Changes]) -> Callable[[Iterable[ToldEvent]], Iterator[SumRow]]:
    """Return the ``fold`` of a report whose changes begin with nothing."""

    def fold(events_told: Iterable[ToldEvent]) -> Iterator[SumRow]:
        made = changes()
        for told in events_told:
            made.add(told)
        return made.adding.rows()

    return fold
