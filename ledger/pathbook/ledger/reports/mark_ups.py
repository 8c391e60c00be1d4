"""Mark-ups: how the price rises from rung to rung of a ladder, and what it would be with fewer hops."""

from collections.abc import Sequence

import msgspec

from pathbook.ledger.reports.ladder import Rung, RungKind
from pathbook.ledger.reports.shared_rungs import SharedRung


class MarkUp(msgspec.Struct, frozen=True):
    """How far the mean price of a rung is above other prices, in minor units of its currency, below 0 if it is less.

    It is the difference of the prices as they are shown, rounded to minor units. Each is None if there is nothing to
    compare with: ``over_before_minor`` the rung before, ``over_first_minor`` the first rung, both in the same currency
    and without parties that have no tier; ``over_suggested_minor`` the suggested price.
    """

    over_before_minor: int | None
    over_first_minor: int | None
    over_suggested_minor: int | None


class FewerHops(msgspec.Struct, frozen=True):
    """What consumers would pay for a unit, if the goods skipped the last ``hops`` tiers.

    It is the mean price that consumers pay, less the mark-ups of these tiers: the mean price of the last tier less that
    of the tier so many rungs above it. The mark-up of the seller stays.
    """

    currency_code: str
    hops: int
    mean_minor: int


class Ladder(msgspec.Struct, frozen=True):
    """A price ladder: its rungs, their mark-ups, what fewer hops would save, and what a party is shown of others.

    ``shared_left_out`` tells that a party is shown nothing of others, because there are too many prices.
    """

    rungs: list[Rung]
    mark_ups: list[MarkUp]
    fewer_hops: list[FewerHops]
    shared_rungs: list[SharedRung] = []
    shared_left_out: bool = False


def ladder(
    rungs: list[Rung], shared_rungs: Sequence[SharedRung] = (), *, is_left_out: bool = False
) -> Ladder:
    """Return the ladder with these rungs, which are in their order, and with those of others, unless left out."""
    mark_ups = [_mark_up(rung, _climbed(rungs, rung)) for rung in rungs]
    return Ladder(rungs, mark_ups, _fewer(rungs), list(shared_rungs), is_left_out)


def _climbed(rungs: Sequence[Rung], rung: Rung) -> list[Rung]:
    """Return the rungs below which a rung stands, from the first on. Parties without a tier stand nowhere.

    A brand has tier 0. What it paid to buy units back is no price from which a ladder goes up.
    """
    if rung.kind is RungKind.NO_TIER:
        return []
    same = [other for other in rungs if other.currency_code == rung.currency_code]
    return [
        other
        for other in same
        if other.kind is RungKind.TIER
        and other.tier > 0
        and (rung.kind is RungKind.CONSUMER or other.tier < rung.tier)
    ]


def _mark_up(rung: Rung, climbed: Sequence[Rung]) -> MarkUp:
    suggested = rung.suggested
    return MarkUp(
        over_before_minor=rung.mean_minor - climbed[-1].mean_minor if climbed else None,
        over_first_minor=rung.mean_minor - climbed[0].mean_minor if climbed else None,
        over_suggested_minor=None if suggested is None else rung.mean_minor - round(suggested.each),
    )


def _fewer(rungs: Sequence[Rung]) -> list[FewerHops]:
    found = []
    for rung in rungs:
        if rung.kind is not RungKind.CONSUMER:
            continue
        tiers = _climbed(rungs, rung)
        for hops in range(1, len(tiers)):
            saved = tiers[-1].mean_minor - tiers[-1 - hops].mean_minor
            found.append(FewerHops(rung.currency_code, hops, rung.mean_minor - saved))
    return found
