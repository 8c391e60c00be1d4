"""Sums by a key that are added up while events are told, as a report's ``fold`` returns them."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Protocol

from pathbook.ledger.reports.report import Fold, SumRow
from pathbook.ledger.reports.story import ToldEvent

Key = tuple[int | str, ...]
"""The columns of a key, without the book."""


class Adding:
    """Sums by a key, all 0 at first."""

    __slots__ = ("_zeros", "sums")

    def __init__(self, count: int) -> None:
        """Take the number of sums of a row."""
        self._zeros = [0] * count
        self.sums: dict[Key, list[int]] = {}

    def add(self, key: Key, *amounts: int) -> None:
        """Add an amount to each sum of a row."""
        sums = self.sums.get(key)
        if sums is None:
            self.sums[key] = [*amounts, *self._zeros[len(amounts) :]]
            return
        for index, amount in enumerate(amounts):
            sums[index] += amount

    def rows(self) -> Iterator[SumRow]:
        """Yield the rows to which something was added that did not cancel out."""
        return ((*key, *sums) for key, sums in self.sums.items() if any(sums))


class Counting(defaultdict[Key, int]):
    """One sum by a key, as `Adding` has several: ``counting[key] += amount`` takes a fifth of the time."""

    def __init__(self) -> None:
        super().__init__(int)

    def rows(self) -> Iterator[SumRow]:
        """Yield the rows to which something was added that did not cancel out."""
        return ((*key, amount) for key, amount in self.items() if amount)


class Changes(Protocol):
    """What a sequence of events adds to the sums of a report."""

    @property
    def adding(self) -> Adding | Counting:
        """The sums."""

    def add(self, told: ToldEvent) -> None:
        """Add what the next event changes."""


def folding(changes: Callable[[], Changes]) -> Callable[[], Fold]:
    """Return the ``fold`` of a report whose changes begin with nothing."""

    def begin() -> Fold:
        made = changes()
        return Fold(made.add, made.adding.rows)

    return begin
