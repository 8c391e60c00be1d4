"""Heads of runs: what events make of them, and no more, for what is sealed.

The runs are those of `pathbook.ledger.runs.Partition`, cut in the same way. Owners, states and hops are left out,
because an event tells which units it changes without them.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence

from pathbook.ledger.events import BatchCommissioned, RecordedEvent
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.proofs.custody import TILE_LEVELS, TILE_WIDTH, HeadRun
from pathbook.ledger.run import EMPTY_HEAD, next_head
from pathbook.ledger.values import MAX_BATCH_SIZE

_BEYOND = MAX_BATCH_SIZE  # of any last unit: sorts after all runs that begin with the same unit


class Heads:
    """Runs of a batch or register with their heads, as far as they are loaded.

    A block is TILE_WIDTH units beside each other, the first of them a multiple of that. It holds the runs that begin in
    it: all of them or none, and most often few. So a change moves few other runs, however many are loaded.

    ``changed`` are the ranges (first, last) that changed since it was emptied, as whole blocks. ``written`` are the
    blocks that differ from the loaded ones, and ``changes`` counts the changes of runs.
    """

    def __init__(self, size: int = MAX_BATCH_SIZE) -> None:
        """Begin with no run loaded, of a batch of so many units. A register may have any size."""
        self._size, self._covered = size, 0
        self._blocks: dict[int, list[HeadRun]] = {}
        self._order: list[int] = []
        self.changed: list[tuple[int, int]] = []
        self.written: set[int] = set()
        self.changes = 0

    @property
    def is_whole(self) -> bool:
        """Whether all units are loaded."""
        return self._covered == self._size

    def add(self, runs: Sequence[HeadRun]) -> None:
        """Add all runs that begin in one block, in order, as they are kept.

        A block that was added before is passed over, as it may have changed.
        """
        block = runs[0].first >> TILE_LEVELS
        if self.has_block(block):
            return
        self._blocks[block] = list(runs)
        insort(self._order, block)
        self._covered += runs[-1].last - runs[0].first + 1

    def begin(self, run: HeadRun) -> None:
        """Begin the batch with the one run of its commissioning."""
        self.add([run])
        self._has_changed(run.first, run.last)
        self.written.add(0)
        self.changes += 1

    def put(self, run: HeadRun) -> None:
        """Put a run of one in its place: a leaf of a register, whose block is loaded."""
        runs = self._blocks.setdefault(run.first >> TILE_LEVELS, [])
        if not runs:
            insort(self._order, run.first >> TILE_LEVELS)
        place = bisect_left(runs, (run.first,))
        runs[place : bisect_right(runs, (run.first, _BEYOND))] = [run]
        self._has_changed(run.first, run.first)

    def has(self, first: int, last: int) -> bool:
        """Tell whether all units first .. last are loaded, as far as there are so many."""
        if self._covered == self._size:
            return True
        last = min(last, self._size - 1)
        while first <= last:
            runs, place = self._find(first)
            if place < 0 or runs[place].last < first:
                return False
            first = runs[-1].last + 1
        return True

    def runs(self, first: int, last: int) -> list[HeadRun]:
        """Return the runs that have any of the units first .. last, which must be loaded."""
        runs, place = self._find(first)
        assert place >= 0, first
        assert runs[place].last >= first, first
        end = (last, _BEYOND)
        found = runs[place : bisect_right(runs, end)]
        if runs[-1].last < last:
            low = bisect_right(self._order, runs[0].first >> TILE_LEVELS)
            for block in self._order[low : bisect_right(self._order, last >> TILE_LEVELS)]:
                runs = self._blocks[block]
                found += runs if runs[-1].first <= last else runs[: bisect_right(runs, end)]
        return found

    def has_block(self, block: int) -> bool:
        """Tell whether the runs that begin in a block are loaded. It may have none."""
        return block in self._blocks

    def block(self, block: int) -> Sequence[HeadRun]:
        """Return the runs that begin in a block that is loaded."""
        return self._blocks[block]

    def extend(self, first: int, last: int, leaf: bytes, position: int) -> None:
        """Give the units first .. last the heads after an event at a position.

        All blocks that have any of them or the unit behind them must be loaded.
        """
        begin = first
        while begin <= last:
            runs, place = self._find(begin)
            run = runs[place]
            end = min(last, run.last)
            after = HeadRun(begin, end, next_head(run.head, leaf, position), position, begin)
            if run.first == begin:
                runs[place] = after
            else:
                runs[place] = HeadRun(run.first, begin - 1, run.head, run.position, run.origin)
                self.written.add(run.first >> TILE_LEVELS)
                self._insert(after)
            if run.last > end:
                self._insert(HeadRun(end + 1, run.last, run.head, run.position, run.origin))
            self.written.add(begin >> TILE_LEVELS)
            self.changes += 1
            begin = end + 1
        self._has_changed(first, last)

    def _insert(self, run: HeadRun) -> None:
        block = run.first >> TILE_LEVELS
        runs = self._blocks.get(block)
        if runs is None:
            self._blocks[block] = [run]
            insort(self._order, block)
        else:
            insort(runs, run)
        self.written.add(block)

    def _find(self, unit: int) -> tuple[list[HeadRun], int]:
        """Return a block and the place in it of the run that has a unit, or of the last one before; -1 if none is."""
        block = unit >> TILE_LEVELS
        runs = self._blocks.get(block)
        if runs is None or runs[0].first > unit:
            place = bisect_left(self._order, block) - 1
            if place < 0:
                return [], -1
            runs = self._blocks[self._order[place]]
            return runs, len(runs) - 1
        return runs, bisect_right(runs, (unit, _BEYOND)) - 1

    def _has_changed(self, first: int, last: int) -> None:
        part = (first & -TILE_WIDTH, last | TILE_WIDTH - 1)
        if not self.changed or self.changed[-1] != part:
            self.changed.append(part)


def extend_heads(batches: Mapping[int, Heads], recorded: RecordedEvent) -> None:
    """Apply an event to the runs of all batches that it changes, which must be loaded. It may begin a batch."""
    event = recorded.event
    if isinstance(event, BatchCommissioned):
        head = next_head(EMPTY_HEAD, recorded.leaf, recorded.position)
        batches[event.batch].begin(HeadRun(0, event.size - 1, head, recorded.position, 0))
        return
    leaf, position = recorded.leaf, recorded.position
    for part in changed_ranges(event):
        batches[part.batch].extend(part.first, part.last, leaf, position)
