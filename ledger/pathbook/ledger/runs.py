"""Runs: a batch as maximal intervals of units with the same past, and how each event changes them.

The cost of an event grows with the number of runs that it touches, never with their units. Rules and projections
apply events to the same partitions. So decisions and views cannot differ.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.moves import Move, moves_of
from pathbook.ledger.run import EMPTY_HEAD, Change, Run, next_head, run_after
from pathbook.ledger.values import Unit, UnitRange, UnitState

SPLICED_MAX_RANGES = 8
"""The most ranges of a batch that an event changes one by one. Each shifts the runs behind it. To change more, the
runs between the first and the last of them are written again, once."""

INDEXED_MAX_RUNS = 64
"""The most runs that enter or leave the stock index one by one. For more, a party's part of it is written again."""

_FIRST: Final = attrgetter("first")

_HELD: Final = frozenset({UnitState.IN_STOCK, UnitState.SOLD, UnitState.CONFIRMED})


class Partition:
    """The runs of one batch, in order. Each unit of the batch is in exactly one run."""

    __slots__ = ("_found", "_in_stock", "batch", "runs")

    def __init__(self, batch: int, runs: Iterable[Run]) -> None:
        """Take the current runs of a batch, in order of their first unit."""
        self.batch = batch
        self.runs = list(runs)
        self._in_stock: dict[str, list[int]] | None = None
        self._found: tuple[int, int, slice] | None = None

    def in_stock(self, owner: str) -> Iterator[Run]:
        """Yield the runs that a party is free to move, or that a consumer has bought, lowest numbers first."""
        if self._in_stock is None:  # built at the first use, because only quantities need it
            self._in_stock = {}
            for run in self.runs:
                if run.state in _HELD:
                    self._in_stock.setdefault(run.owner, []).append(run.first)
        runs, place = self.runs, -1
        for first in self._in_stock.get(owner, ()):
            place += 1
            if runs[place].first != first:  # often it is the next run
                place = bisect_left(runs, first, place, key=_FIRST)
            yield runs[place]

    def owned_by(self, owner: str) -> Iterator[Run]:
        """Yield all runs of an owner, lowest numbers first."""
        return (run for run in self.runs if run.owner == owner)

    def has_stock(self, owner: str) -> bool:  # noqa: ARG002 - a part of a batch uses it
        """Tell whether the first runs of an owner are loaded, or the owner has none."""
        return True

    def drop_index(self) -> None:
        """Drop the stock index, which is rebuilt at its next use."""
        self._in_stock = None

    def _index(self, in_stock: dict[str, list[int]], removed: list[Run], added: list[Run]) -> None:
        if len(removed) + len(added) > INDEXED_MAX_RUNS:
            self._index_many(in_stock, removed, added)
            return
        for run in removed:
            if run.state in _HELD:
                firsts = in_stock[run.owner]
                del firsts[bisect_left(firsts, run.first)]
        for run in added:
            if run.state in _HELD:
                insort(in_stock.setdefault(run.owner, []), run.first)

    def _index_many(self, in_stock: dict[str, list[int]], removed: list[Run], added: list[Run]) -> None:
        """Change the stock index once for each owner, between the lowest and the highest of its runs that change."""
        gone: dict[str, set[int]] = {}
        come: dict[str, list[int]] = {}
        for run in removed:
            if run.state in _HELD:
                gone.setdefault(run.owner, set()).add(run.first)
        for run in added:
            if run.state in _HELD:
                come.setdefault(run.owner, []).append(run.first)
        for owner in gone.keys() | come.keys():
            firsts, old, new = in_stock.setdefault(owner, []), gone.get(owner, set()), come.get(owner, [])
            low = bisect_left(firsts, min([*old, *new]))
            high = bisect_right(firsts, max([*old, *new]))
            firsts[low:high] = sorted([first for first in firsts[low:high] if first not in old] + new)

    def missing(self, first: int, last: int) -> list[UnitRange]:  # noqa: ARG002 - a part of a batch uses them
        """Return those of the units first .. last whose runs are not loaded. All runs of a whole batch are."""
        return []

    def overlapping(self, first: int, last: int) -> list[Run]:
        """Return the runs that hold any of the units first .. last, in order."""
        return self.runs[self._place(first, last)]

    def count(self, first: int, last: int) -> int:
        """Return the number of runs that hold any of the units first .. last."""
        place = self._place(first, last)
        return int(place.stop - place.start)

    def _place(self, first: int, last: int) -> slice:
        """Return the place of the runs of these units. Deciding a transfer and applying it ask three times."""
        found = self._found
        if found is None or found[0] != first or found[1] != last:
            self._found = found = (first, last, self._search(first, last))
        return found[2]

    def _search(self, first: int, last: int) -> slice:
        # A separate list of first units would be searched faster, but every cut would shift it too. In a batch of
        # 15,000 runs that costs as much as it saves. In a batch of 100,000 runs it costs ten microseconds more.
        low = bisect_right(self.runs, first, key=_FIRST) - 1
        high = low + 1
        if self.runs[low].last < last:  # rare, because most ranges lie within one run
            high = bisect_right(self.runs, last, high, key=_FIRST)
        return slice(low, high)

    def apply(self, move: Move, part: UnitRange, position: int, leaf: bytes, changes: list[Change]) -> None:
        """Change the units of one range, and append a change for each run to ``changes``."""
        first, last = part.first, part.last
        place = self._place(first, last)
        replaced = self.runs[place]
        pieces: list[Run] = []
        for run in replaced:
            begin, end = run.first, run.last
            left: tuple[Run, ...] = ()
            right: tuple[Run, ...] = ()
            if begin < first:
                left, begin = (replace(run, last=first - 1, valid_from=position),), first
            if end > last:
                right, end = (replace(run, first=last + 1, valid_from=position),), last
            changed = run_after(run, move, begin, end, position, leaf)
            changes.append(Change(self.batch, run, changed, left + right))
            pieces += left
            pieces.append(changed)
            pieces += right
        self.runs[place] = pieces
        self._found = None
        if self._in_stock is not None:
            self._index(self._in_stock, replaced, pieces)

    def apply_many(
        self, moves: list[tuple[UnitRange, Move]], position: int, leaf: bytes, changes: list[Change]
    ) -> None:
        """Change the units of many ranges, which are sorted and disjoint, as ``apply`` does one after the other."""
        if len(moves) <= SPLICED_MAX_RANGES:
            for part, move in moves:
                self.apply(move, part, position, leaf, changes)
            return
        runs = self.runs
        begin = place = self._place(moves[0][0].first, moves[0][0].first).start
        pieces: list[Run] = []
        replaced: list[Run] = []
        added: list[Run] = []
        rest: Run | None = None  # what the range before left of the run that it cut, to its right
        for part, move in moves:
            first, last = part.first, part.last
            if rest is not None and rest.last < first:
                pieces.append(rest)
                added.append(rest)
                rest = None
            if rest is None:
                low = bisect_right(runs, first, place, key=_FIRST)
                low -= low > place and runs[low - 1].last >= first
                pieces += runs[place:low]
                place = low
            while rest is not None or (place < len(runs) and runs[place].first <= last):
                run = rest
                if run is None:
                    run = runs[place]
                    replaced.append(run)
                    place += 1
                left: tuple[Run, ...] = ()
                right: tuple[Run, ...] = ()
                rest = None
                if run.first < first:
                    left = (replace(run, last=first - 1, valid_from=position),)
                if run.last > last:
                    rest = replace(run, first=last + 1, valid_from=position)
                    right = (rest,)
                changed = run_after(run, move, max(run.first, first), min(run.last, last), position, leaf)
                changes.append(Change(self.batch, run, changed, left + right))
                pieces += left
                pieces.append(changed)
                added += left
                added.append(changed)
                if rest is not None:
                    break  # the next range may be in it, too
        if rest is not None:
            pieces.append(rest)
            added.append(rest)
        if self._in_stock is not None:
            self._index(self._in_stock, replaced, added)
        runs[begin:place] = pieces
        self._found = None

    def roll_back(self, change: Change) -> None:
        """Undo a change whose pieces have not changed since. They become the run before again."""
        before = change.before
        assert before is not None, change
        low = bisect_left(self.runs, before.first, key=_FIRST)
        high = low + 1 + len(change.remainders)
        if self._in_stock is not None:
            self._index(self._in_stock, self.runs[low:high], [before])
        self.runs[low:high] = [before]
        self._found = None

    def roll_back_many(self, position: int, changes: list[Change]) -> None:
        """Undo all changes of the last event, which is at a position, as ``roll_back`` does from the last one on."""
        if len(changes) <= SPLICED_MAX_RANGES:
            for change in reversed(changes):
                self.roll_back(change)
            return
        # what the event itself had cut off before was no run before the event
        found = [change.before for change in changes if change.before is not None]
        earlier = sorted([run for run in found if run.valid_from != position], key=_FIRST)
        begin = end = bisect_left(self.runs, earlier[0].first, key=_FIRST)
        pieces: list[Run] = []
        removed: list[Run] = []
        for run in earlier:
            low = bisect_left(self.runs, run.first, end, key=_FIRST)
            pieces += self.runs[end:low]
            pieces.append(run)
            end = bisect_right(self.runs, run.last, low, key=_FIRST)
            removed += self.runs[low:end]
        if self._in_stock is not None:
            self._index(self._in_stock, removed, earlier)
        self.runs[begin:end] = pieces
        self._found = None


def commissioned(event: events.BatchCommissioned, position: int, leaf: bytes) -> Partition:
    """Return the partition of a new batch: one run, which the brand owns and has in its custody."""
    head, last = next_head(EMPTY_HEAD, leaf, position), event.size - 1
    brand, state = event.brand, UnitState.IN_STOCK
    return Partition(
        event.batch, [Run(0, last, position, position, 0, 0, 0, brand, brand, state, 0, None, head)]
    )


def apply(partitions: dict[int, Partition], recorded: RecordedEvent) -> list[Change]:
    """Apply one event to the partitions of the loaded batches, and return the changes.

    Batches that are not loaded are skipped. The caller first loads those that it needs.
    """
    position, leaf, event = recorded.position, recorded.leaf, recorded.event
    if type(event) is events.BatchCommissioned:
        partition = partitions[event.batch] = commissioned(event, position, leaf)
        return [Change(event.batch, None, partition.runs[0], ())]
    changes: list[Change] = []
    moves = moves_of(event, position)
    if len(moves) == 1 and len(moves[0].ranges) <= SPLICED_MAX_RANGES:
        for part in moves[0].ranges:
            if (loaded := partitions.get(part.batch)) is not None:
                loaded.apply(moves[0], part, position, leaf, changes)
        return changes
    by_batch: dict[int, list[tuple[UnitRange, Move]]] = {}
    for move in moves:
        for part in move.ranges:
            if part.batch in partitions:
                by_batch.setdefault(part.batch, []).append((part, move))
    for number, found in by_batch.items():
        if len(moves) > 1:
            found.sort(key=_beginning)
        partitions[number].apply_many(found, position, leaf, changes)
    return changes


def _beginning(moved: tuple[UnitRange, Move]) -> int:
    return moved[0].first


def after(run: Run, recorded: RecordedEvent, unit: Unit) -> Run | None:
    """Return the run of one unit after an event, or None unless the event changes the unit exactly once.

    Nothing need be known of other units. An event that no book writes could name a unit twice.
    """
    moves = [
        move
        for move in moves_of(recorded.event, recorded.position)
        for part in move.ranges
        if _has(part, unit)
    ]
    if len(moves) != 1:
        return None
    return run_after(run, moves[0], unit.number, unit.number, recorded.position, recorded.leaf)


def _has(part: UnitRange, unit: Unit) -> bool:
    return part.batch == unit.batch and part.first <= unit.number <= part.last
