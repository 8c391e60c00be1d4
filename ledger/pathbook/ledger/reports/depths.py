"""Depths: through how many hands units went before they stopped where they are."""

import enum
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger.hops import NOT_LOADED, Hop
from pathbook.ledger.reports.adding import Counting, Key, folding
from pathbook.ledger.reports.report import Column, ColumnKind, Report
from pathbook.ledger.reports.story import SHORT_PAST, BatchStory, ToldEvent
from pathbook.ledger.run import Run
from pathbook.ledger.values import WRITTEN_OFF, UnitState, is_consumer


class Outcome(enum.IntEnum):
    """What became of a unit: its last party still has it, a consumer bought it, confirmed it, or it was written off."""

    STOCK = 1
    SOLD = 2
    CONFIRMED = 3
    WRITTEN_OFF = 4


# Looked up once, because the lookup of an enum member, and that of its value, take long.
_STOCK: Final = Outcome.STOCK.value
_SOLD: Final = Outcome.SOLD.value
_CONFIRMED: Final = Outcome.CONFIRMED.value
_WRITTEN_OFF: Final = Outcome.WRITTEN_OFF.value
_CONFIRMED_STATE: Final = UnitState.CONFIRMED


class DepthChanges:
    """How many units a sequence of events adds to depths, by batch, depth and outcome."""

    def __init__(self) -> None:
        self.adding = Counting()

    def add(self, told: ToldEvent) -> None:
        """Count the units of the runs that an event changed."""
        for change in told.changes:
            before, changed = change.before, change.changed
            units = changed.last - changed.first + 1
            if before is None:
                self.adding[_place(change.batch, changed, 0)] += units
                continue
            hops = _count(told.stories[change.batch], before.last_hop)
            self.adding[_place(change.batch, before, hops)] -= units
            self.adding[_place(change.batch, changed, hops + _added(before, changed))] += units


def _count(story: BatchStory, last: Hop | None) -> int:
    """Return how many hops lead to the last one, which counts."""
    hops, earlier = 0, last
    while earlier is not None:
        if hops == SHORT_PAST:
            return story.past(last).hops
        assert earlier.earlier is not NOT_LOADED, earlier
        hops, earlier = hops + 1, earlier.earlier
    return hops


def _added(before: Run, changed: Run) -> int:
    """Return how many hops an event added to a run: one, none, or minus one."""
    if changed.last_hop is before.last_hop:
        return 0
    return 1 if changed.last_hop is not None and changed.last_hop.earlier is before.last_hop else -1


def _place(batch: int, run: Run, hops: int) -> Key:
    """Return the key of the units of a run with so many hops: batch, depth and outcome."""
    bought = is_consumer(run.owner)
    if run.state in WRITTEN_OFF:
        outcome = _WRITTEN_OFF
    elif run.state is _CONFIRMED_STATE:
        outcome = _CONFIRMED
    else:
        outcome = _SOLD if bought else _STOCK
    return batch, hops - bought, outcome


DEPTHS: Final = Report(
    name="depths",
    version=1,
    key=(
        Column("batch", ColumnKind.BATCH),
        Column("depth", ColumnKind.SMALL),
        Column("outcome", ColumnKind.SMALL),
    ),
    sums=("units",),
    fold=folding(DepthChanges),
    needs_stories=True,
)
"""Units by how many transfers between parties, still in force, brought them where they are, and by outcome.

Depth 0 is the brand. A sale to a consumer adds none: a unit that the brand sold itself has depth 0."""


class DepthRow(NamedTuple):
    """A row of DEPTHS."""

    batch: int
    depth: int
    outcome: int
    units: int


class Depth(msgspec.Struct, frozen=True):
    """How many units got so deep and no deeper, and what became of them there."""

    depth: int
    stock: int
    sold: int
    confirmed: int
    written_off: int

    @property
    def units(self) -> int:
        """All units of this depth."""
        return self.stock + self.sold + self.confirmed + self.written_off


def depths(rows: Iterable[DepthRow]) -> list[Depth]:
    """Return the units of each depth, from the brand down."""
    counts: defaultdict[int, dict[int, int]] = defaultdict(lambda: dict.fromkeys(Outcome, 0))
    for row in rows:
        counts[row.depth][row.outcome] += row.units
    return [
        Depth(
            depth=depth,
            stock=found[Outcome.STOCK],
            sold=found[Outcome.SOLD],
            confirmed=found[Outcome.CONFIRMED],
            written_off=found[Outcome.WRITTEN_OFF],
        )
        for depth, found in sorted(counts.items())
    ]
