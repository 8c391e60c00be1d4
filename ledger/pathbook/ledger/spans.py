"""Partitions of which only some runs are loaded.

A batch may have a million runs, and an event touches few of them. So memory holds the runs that were needed, and
knows which units lie between them. Runs are only ever cut, and never joined. So the border of a loaded run stays a
border at every later position, and any run is loaded as a whole or not at all.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final

from pathbook.ledger.moves import Move
from pathbook.ledger.run import Change, Run
from pathbook.ledger.runs import SPLICED_MAX_RANGES, Partition
from pathbook.ledger.values import MAX_BATCH_SIZE, UnitRange

MAX_INSERTED_AT_ONCE: Final = 50
"""The most runs that are added one by one. To sort all of them takes as long as to insert some 50."""

FIRST_STOCK_RUNS: Final = 64
"""How many runs of an owner are loaded first. Most owners have fewer in a batch."""

STOCK_GROWTH: Final = 4
"""How many times as many runs are loaded next, so that all loads together take little longer than the last one."""

STOCK_RUNS_AT_ONCE_MAX: Final = 16_000
"""After how many runs no more are asked for at once. A request that takes more of them is refused as too much work."""

_FIRST: Final = attrgetter("first")


class StockNotLoadedError(Exception):
    """Quantities looked for runs of an owner that are not loaded.

    ``stocks`` has for batches and owners the unit from which on runs are needed, and how many at most. The caller
    loads these, and the ranges that the owner ``gained``. Then it asks again.
    """

    def __init__(self, stocks: dict[tuple[int, str], tuple[int, int]], gained: list[UnitRange]) -> None:
        super().__init__(f"runs of owners are not loaded: {stocks}")
        self.stocks = stocks
        self.gained = gained

    @property
    def count(self) -> int:
        """How many runs are asked for."""
        return sum([count for _, count in self.stocks.values()])

    def add(self, other: "StockNotLoadedError") -> None:
        """Ask for what another quantity looked for, too."""
        self.stocks.update(other.stocks)
        self.gained.extend(other.gained)


class PartialPartition(Partition):
    """Some runs of one batch, in order. Events skip the units between them, which are not loaded.

    ``stock_ends`` has for some owners the unit before which all their runs begin that are known to be loaded. What
    such an owner gained later in runs that are not loaded is in ``gained`` until these are.
    """

    __slots__ = ("gained", "stock_ends")

    def __init__(self, batch: int, runs: Iterable[Run]) -> None:
        """Take some of the current runs of a batch, in order of their first unit."""
        super().__init__(batch, runs)
        self.stock_ends: dict[str, int] = {}
        self.gained: dict[str, list[UnitRange]] = {}

    def missing(self, first: int, last: int) -> list[UnitRange]:
        """Return those of the units first .. last whose runs are not loaded, in order."""
        runs = self.runs
        index = bisect_right(runs, first, key=_FIRST)
        if index and (end := runs[index - 1].last) >= first:
            first = end + 1
        gaps = []
        while first <= last:
            if index == len(runs) or runs[index].first > last:
                gaps.append(UnitRange(self.batch, first, last))
                break
            if runs[index].first > first:
                gaps.append(UnitRange(self.batch, first, runs[index].first - 1))
            first = runs[index].last + 1
            index += 1
        return gaps

    def has_stock(self, owner: str) -> bool:
        """Tell whether the first runs of an owner are loaded, or the owner has none."""
        return owner in self.stock_ends

    def in_stock(self, owner: str) -> Iterator[Run]:
        """Yield runs as a whole partition does. Raises StockNotLoadedError where the next run is not loaded."""
        yield from self._until_end(owner, super().in_stock(owner))

    def owned_by(self, owner: str) -> Iterator[Run]:
        """Yield runs as a whole partition does. Raises StockNotLoadedError where the next run is not loaded."""
        yield from self._until_end(owner, super().owned_by(owner))

    def _until_end(self, owner: str, runs: Iterator[Run]) -> Iterator[Run]:
        end, count = self.stock_ends.get(owner, 0), 0
        if not self.gained.get(owner):
            for run in runs:
                if run.first >= end:
                    break
                count += 1
                yield run
            if end >= MAX_BATCH_SIZE:
                return
        more = min(max(FIRST_STOCK_RUNS, STOCK_GROWTH * count), STOCK_RUNS_AT_ONCE_MAX)
        raise StockNotLoadedError({(self.batch, owner): (end, more)}, [*self.gained.get(owner, ())])

    def apply(self, move: Move, part: UnitRange, position: int, leaf: bytes, changes: list[Change]) -> None:
        """Change the loaded units of one range, and append a change for each run to ``changes``."""
        super().apply(move, part, position, leaf, changes)
        self._gain(move, part)

    def apply_many(
        self, moves: list[tuple[UnitRange, Move]], position: int, leaf: bytes, changes: list[Change]
    ) -> None:
        """Change the loaded units of many ranges, which are sorted and disjoint."""
        super().apply_many(moves, position, leaf, changes)
        if len(moves) > SPLICED_MAX_RANGES:  # fewer are applied one after the other
            for part, move in moves:
                self._gain(move, part)

    def _gain(self, move: Move, part: UnitRange) -> None:
        """Remember what an owner gained in runs that are not loaded, if its stock is."""
        if move.owner in self.stock_ends and (gaps := self.missing(part.first, part.last)):
            self.gained.setdefault(move.owner, []).extend(gaps)

    def _search(self, first: int, last: int) -> slice:
        low = bisect_right(self.runs, first, key=_FIRST)
        if low and self.runs[low - 1].last >= first:
            low -= 1
            if self.runs[low].last >= last:
                return slice(low, low + 1)
        return slice(low, bisect_right(self.runs, last, low, key=_FIRST))

    def add(self, loaded: "PartialPartition") -> None:
        """Add what was loaded as of the same position. Runs that are loaded already are the same."""
        added = [run for run in loaded.runs if self.missing(run.first, run.first)]
        self._found = None
        if len(added) > MAX_INSERTED_AT_ONCE:
            self.drop_index()
            self.runs += added
            self.runs.sort(key=_FIRST)
        else:
            for run in added:
                insort(self.runs, run, key=_FIRST)
            if self._in_stock is not None:
                self._index(self._in_stock, [], added)
        for owner, end in loaded.stock_ends.items():
            self.stock_ends[owner] = max(end, self.stock_ends.get(owner, 0))
        for owner in self.gained.keys() | loaded.gained.keys():
            parts = [*self.gained.get(owner, ()), *loaded.gained.get(owner, ())]
            self.gained[owner] = [gap for part in parts for gap in self.missing(part.first, part.last)]


def merged(known: Partition | None, loaded: Partition) -> Partition:
    """Return what is known of a batch together with what was loaded of it, both as of the same position."""
    if known is None or not isinstance(loaded, PartialPartition):
        return loaded
    if isinstance(known, PartialPartition):
        known.add(loaded)
    return known
