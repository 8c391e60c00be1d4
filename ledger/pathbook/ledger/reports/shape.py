"""The shape of a chain: how deep it is, who takes part in it, and whether newcomers are those who buy."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from pathbook.ledger.reports.depths import Depth
from pathbook.ledger.reports.registered import DAY_US, Authorization, line_below
from pathbook.ledger.reports.runway import RunwayOfTier
from pathbook.ledger.reports.sell_through import LineRow


class IndicatorRule(msgspec.Struct, frozen=True):
    """The parameters of the indicator: from how many participants, on how many levels below an organizer, it is met.

    Some laws take 30 participants on 3 levels as a sign of pyramid selling, if they pay to take part and are paid for
    those whom they bring. The book sees who takes part, not who is paid for it.
    """

    participants_min: int = 30
    levels_min: int = 3


class Level(msgspec.Struct, frozen=True):
    """How many parties are so many authorizations below the organizer. Level 1 is who it authorized itself."""

    level: int
    participants: int


class Indicator(msgspec.Struct, frozen=True):
    """A rule with its parameters and what it found. It is a sign that a person should look at, and no verdict."""

    name: str
    version: int
    rule: IndicatorRule
    participants: int
    levels: int
    met: bool

    def __str__(self) -> str:
        """Return the result as a sentence, with the rule and its parameters."""
        sign = "met" if self.met else "not met"
        return (
            f"{self.name} v{self.version}: {sign}. {self.participants} participants on {self.levels} levels below;"
            f" it is met from {self.rule.participants_min} participants on {self.rule.levels_min} levels on."
        )


class EarlyPurchases(msgspec.Struct, frozen=True):
    """What parties below the organizer took soon after they were first authorized, and what they took later.

    ``before`` counts units that they took before that. Units that went back up do not count.
    """

    within_days: int
    buyers: int
    before: int
    early: int
    later: int


class Shape(msgspec.Struct, frozen=True):
    """The shape of the chain below an organizer.

    Attributes:
        organizer: the party at the top.
        participants: all parties below it.
        levels: how many there are on each level.
        depths: how deep units got.
        hops: how often a unit was passed on or sold, over all units.
        title_only: how many of these hops moved no goods.
        early: purchases right after authorization, and later ones.
        indicator: what the rule of participants and levels found.
    """

    organizer: str
    participants: int
    levels: tuple[Level, ...]
    depths: tuple[Depth, ...]
    hops: int
    title_only: int
    early: EarlyPurchases
    indicator: Indicator


def stopped_share(depths: Iterable[Depth]) -> Mapping[int, tuple[int, int]]:
    """Return by depth how many units lie in stock at it, of how many that came so deep or deeper."""
    found, deeper = {}, 0
    for depth in sorted(depths, key=lambda item: -item.depth):
        deeper += depth.units
        found[depth.depth] = depth.stock, deeper
    return found


def indicator(levels: Mapping[str, int], rule: IndicatorRule) -> Indicator:
    """Return whether an organizer has many participants on many levels below it."""
    deepest = max(levels.values(), default=0)
    return Indicator(
        name="participants-and-levels",
        version=1,
        rule=rule,
        participants=len(levels),
        levels=deepest,
        met=len(levels) >= rule.participants_min and deepest >= rule.levels_min,
    )


def early_purchases(
    rows: Iterable[LineRow],
    authorizations: Iterable[Authorization],
    parties: Iterable[str],
    within_days: int,
) -> EarlyPurchases:
    """Return what parties took within so many days of their first authorization. The day itself is day 0.

    Args:
        rows: rows of SELL_THROUGH of these parties.
        authorizations: all authorizations, also those that ended.
        parties: whose purchases are counted.
        within_days: the last day that counts as early.
    """
    first: dict[str, int] = {}
    for item in authorizations:
        day = item.valid_from // DAY_US
        first[item.party] = min(day, first.get(item.party, day))
    counted = set(parties)
    buyers, before, early, later = set(), 0, 0, 0
    for row in rows:
        if row.party not in counted or row.party not in first or not row.entered:
            continue
        buyers.add(row.party)
        age = row.day - first[row.party]
        if age < 0:
            before += row.entered
        elif age <= within_days:
            early += row.entered
        else:
            later += row.entered
    return EarlyPurchases(within_days, len(buyers), before, early, later)


def shape(
    organizer: str,
    authorizations: list[Authorization],
    depths: Iterable[Depth],
    hops: list[RunwayOfTier],
    lines: Iterable[LineRow],
    *,
    at: int,
    within_days: int,
    rule: IndicatorRule,
) -> Shape:
    """Return the shape of the chain below an organizer.

    Args:
        organizer: a brand, or any party with parties below it.
        authorizations: all authorizations of the book, also those that ended.
        depths: of the batches that are asked about.
        hops: the runway of these batches.
        lines: rows of SELL_THROUGH of these batches.
        at: the time for which participants are counted, in microseconds since 1970 UTC.
        within_days: how soon after an authorization a purchase is early.
        rule: the parameters of the indicator.
    """
    levels = line_below(authorizations, organizer, at)
    return Shape(
        organizer=organizer,
        participants=len(levels),
        levels=tuple(Level(level, count) for level, count in sorted(Counter(levels.values()).items())),
        depths=tuple(depths),
        hops=sum(tier.units for tier in hops),
        title_only=sum(tier.title_only for tier in hops),
        early=early_purchases(lines, authorizations, levels, within_days),
        indicator=indicator(levels, rule),
    )
