"""Heads of runs: what events make of them, and no more, for what is sealed.

The runs are those of `pathbook.ledger.runs.Partition`, cut in the same way. Owners, states and hops are left out,
because an event tells which units it changes without them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from pathbook.ledger.events import BatchCommissioned, RecordedEvent
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.proofs.custody import HeadRun
from pathbook.ledger.runs import EMPTY_HEAD, next_head


class Heads:
    """Runs of a batch with their heads, as far as they are loaded: all runs of some ranges.

    ``changed`` are the ranges (first, last) that changed since it was emptied. ``written`` are the first units of all
    runs that differ from the loaded ones.
    """

    def __init__(self) -> None:
        """Begin with no run loaded."""
        self._firsts: list[int] = []
        self._runs: list[HeadRun] = []
        self._loaded: set[int] = set()
        self.changed: list[tuple[int, int]] = []
        self.written: set[int] = set()

    def add(self, runs: Iterable[HeadRun]) -> None:
        """Add runs as they are kept. Those that were added before are passed over, as they may have changed."""
        new = [run for run in runs if run.first not in self._loaded]
        if not new:
            return
        self._loaded.update(run.first for run in new)
        self._runs = sorted([*self._runs, *new])
        self._firsts = [run.first for run in self._runs]

    def begin(self, run: HeadRun) -> None:
        """Begin the batch with the one run of its commissioning."""
        self.add([run])
        self.written.add(run.first)
        self.changed.append((run.first, run.last))

    def put(self, run: HeadRun) -> None:
        """Put a run of one in its place: a leaf of a register."""
        place = bisect_left(self._firsts, run.first)
        if place < len(self._firsts) and self._firsts[place] == run.first:
            self._runs[place] = run
        else:
            self._firsts.insert(place, run.first)
            self._runs.insert(place, run)
            self._loaded.add(run.first)
        self.changed.append((run.first, run.first))

    def has(self, first: int, last: int) -> bool:
        """Tell whether all units first .. last are loaded."""
        place = bisect_right(self._firsts, first) - 1
        while 0 <= place < len(self._runs) and self._runs[place].first <= first <= self._runs[place].last:
            first = self._runs[place].last + 1
            if first > last:
                return True
            place += 1
        return False

    def runs(self, first: int, last: int) -> list[HeadRun]:
        """Return the runs that have any of the units first .. last, which must be loaded."""
        low = bisect_right(self._firsts, first) - 1
        high = bisect_right(self._firsts, last, max(low, 0))
        assert low >= 0, first
        assert self._runs[low].last >= first, first
        return self._runs[low:high]

    def run(self, first: int) -> HeadRun:
        """Return the run that begins with a unit."""
        return self._runs[bisect_left(self._firsts, first)]

    def extend(self, first: int, last: int, leaf: bytes, position: int) -> None:
        """Give the units first .. last the heads after an event at a position. They must be loaded."""
        low = bisect_right(self._firsts, first) - 1
        high = bisect_right(self._firsts, last, max(low, 0))
        pieces: list[HeadRun] = []
        for run in self._runs[low:high]:
            begin, end = max(run.first, first), min(run.last, last)
            if run.first < begin:
                pieces.append(run._replace(last=begin - 1))
            pieces.append(HeadRun(begin, end, next_head(run.head, leaf, position), position, begin))
            if run.last > end:
                pieces.append(run._replace(first=end + 1))
        assert pieces, (first, last)
        self._runs[low:high] = pieces
        firsts = [piece.first for piece in pieces]
        self._firsts[low:high] = firsts
        self._loaded.update(firsts)
        self.written.update(firsts)
        self.changed.append((first, last))


def extend_heads(batches: Mapping[int, Heads], recorded: RecordedEvent) -> None:
    """Apply an event to the runs of all batches that it changes, which must be loaded. It may begin a batch."""
    event = recorded.event
    if isinstance(event, BatchCommissioned):
        head = next_head(EMPTY_HEAD, recorded.leaf, recorded.position)
        batches[event.batch].begin(HeadRun(0, event.size - 1, head, recorded.position, 0))
        return
    for part in changed_ranges(event):
        batches[part.batch].extend(part.first, part.last, recorded.leaf, recorded.position)
