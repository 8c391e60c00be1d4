"""The expiry runway: how many days units had left at each hop, and which hops moved title alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger.reports.adding import Counting, folding
from pathbook.ledger.reports.ladder import tier_of
from pathbook.ledger.reports.registered import Batch, day_number
from pathbook.ledger.reports.report import Column, ColumnKind, Report
from pathbook.ledger.reports.story import ToldEvent


class RunwayChanges:
    """How many units a sequence of events moves by hops that are in force, by batch, tier, day and custody."""

    def __init__(self) -> None:
        self.adding = Counting()

    def add(self, told: ToldEvent) -> None:
        """Count the hops that an event adds to runs, or takes from them."""
        for story, run, hop, units in told.moved:
            assert run.last_hop is not None, run
            tier = tier_of(hop.receiver, hop.authority.receiver_tier)
            title_only = 0 if run.last_hop.moved_from else 1
            self.adding[story.batch, tier, hop.day, title_only] += units


RUNWAY: Final = Report(
    name="runway",
    version=1,
    key=(
        Column("batch", ColumnKind.BATCH),
        Column("tier", ColumnKind.TIER),
        Column("day", ColumnKind.DAY),
        Column("title_only", ColumnKind.SMALL),
    ),
    sums=("units",),
    fold=folding(RunwayChanges),
    needs_stories=True,
)
"""Units by the tier that received them and the day of the hop. A unit counts once for each of its hops in force.

``title_only`` is 1 if the goods did not move: their custodian was the same after the hop as before. `transfer list` of
a batch and a day lists the events."""


class HopsRow(NamedTuple):
    """A row of RUNWAY."""

    batch: int
    tier: int
    day: int
    title_only: int
    units: int


class RunwayOfTier(msgspec.Struct, frozen=True):
    """How many days were left until expiry when units came to parties of a tier. Units that never expire have none.

    ``units`` counts all units, and ``title_only`` those whose goods did not move. Least, median and most are None if
    none of the units expires. The median of an even number is the lower of the two in the middle. ``after_expiry``
    counts the units that had expired before the hop.
    """

    tier: int
    units: int
    title_only: int
    least: int | None
    median: int | None
    most: int | None
    after_expiry: int


def runway(rows: Iterable[HopsRow], batches: Mapping[int, Batch]) -> list[RunwayOfTier]:
    """Return the runway of each tier: parties without a tier, then tiers from the top, then consumers."""
    by_tier: defaultdict[int, list[HopsRow]] = defaultdict(list)
    for row in rows:
        by_tier[row.tier].append(row)
    return [_tier(tier, found, batches) for tier, found in sorted(by_tier.items())]


def _tier(tier: int, rows: list[HopsRow], batches: Mapping[int, Batch]) -> RunwayOfTier:
    left: list[tuple[int, int]] = []
    for row in rows:
        expires_on = batches[row.batch].expires_on
        if expires_on is not None:
            left.append((day_number(expires_on) - row.day, row.units))
    left.sort()
    counts = list(accumulate(units for _, units in left))
    middle = (counts[-1] + 1) // 2 if left else 0
    median = next((days for (days, _), count in zip(left, counts, strict=True) if count >= middle), None)
    return RunwayOfTier(
        tier=tier,
        units=sum(row.units for row in rows),
        title_only=sum(row.units for row in rows if row.title_only),
        least=left[0][0] if left else None,
        median=median,
        most=left[-1][0] if left else None,
        after_expiry=sum(units for days, units in left if days < 0),
    )
