"""Partitions of which only some runs are loaded.

A batch may have a million runs, and an event touches few of them. So memory holds the runs that were needed, and
knows which units lie between them. Runs are only ever cut, and never joined. So the border of a loaded run stays a
border at every later position, and any run is loaded as a whole or not at all.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from pathbook.ledger.runs import Partition, Run
from pathbook.ledger.values import UnitRange

MAX_INSERTED_AT_ONCE: Final = 50
"""The most runs that are added one by one. To sort all of them takes as long as to insert some 50."""

_FIRST: Final = attrgetter("first")


class PartialPartition(Partition):
    """Some runs of one batch, in order. Events skip the units between them, which are not loaded."""

    __slots__ = ()

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

    def _place(self, first: int, last: int) -> slice:
        low = bisect_right(self.runs, first, key=_FIRST)
        if low and self.runs[low - 1].last >= first:
            low -= 1
            if self.runs[low].last >= last:
                return slice(low, low + 1)
        return slice(low, bisect_right(self.runs, last, low, key=_FIRST))

    def add(self, runs: Sequence[Run]) -> None:
        """Add those of the runs that are not loaded yet. They are as of the same position."""
        added = [run for run in runs if self.missing(run.first, run.first)]
        self.drop_index()
        if len(added) > MAX_INSERTED_AT_ONCE:
            self.runs += added
            self.runs.sort(key=_FIRST)
        else:
            for run in added:
                insort(self.runs, run, key=_FIRST)


def is_whole(partition: Partition | None) -> bool:
    """Tell whether all runs of a batch are loaded."""
    return partition is not None and not isinstance(partition, PartialPartition)


def merged(known: Partition | None, loaded: Partition) -> Partition:
    """Return what is known of a batch together with what was loaded of it, both as of the same position."""
    if known is None or is_whole(loaded):
        return loaded
    if isinstance(known, PartialPartition):
        known.add(loaded.runs)
    return known
