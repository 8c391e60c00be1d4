"""What others paid, as a party is shown it: means of several payers, which tell the price of none."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from pathbook.ledger.reports.ladder import PriceRow, RungKind, rungs, tier_of_kind
from pathbook.ledger.values import Price

OTHER_PAYERS_MIN: Final = 3
"""How many parties, besides the one that is shown it, must have paid what a figure rests on. With fewer, the figure
would be the price of one, or of two of which each can work out the other's."""

SHARE_MAX: Final = 2
"""No payer has more than one unit in so many of what a figure rests on. Else the mean would be nearly its price."""

SHARED_RUNGS_MAX: Final = 1_000
"""How many rungs are shown at most, the first tiers first. They are some 70 KB of an answer."""


class Payment(NamedTuple):
    """How many units a receiver took from a giver at a price, less those that went back, in a month of the record.

    A consumer is "". The month is the result of `pathbook.ledger.reports.registered.month_of`.
    """

    giver: str
    receiver: str
    month: int
    tier: int
    currency_code: str
    amount_minor: int
    per_units: int
    units: int

    @property
    def payer(self) -> str:
        """Whose price it is: the receiver's. For consumers, whose ids no report keeps, the seller stands."""
        return self.receiver or self.giver


class SharedRung(msgspec.Struct, frozen=True, gc=False):
    """What the other parties of a tier paid in one currency, in months that are over and that enough of them share.

    ``tier`` is 0 unless the kind is TIER. ``units`` are those that were paid, also if they went back in a later month.
    ``payers`` counts the parties, or for consumers the sellers. The mean is in minor units, rounded half to even.
    """

    kind: RungKind
    tier: int
    currency_code: str
    units: int
    mean_minor: int
    payers: int
    suggested: Price | None


_Cell: TypeAlias = tuple[int, str, int]
"""A tier, a currency and a month: what is shown as a whole, or not at all."""


def shared_rungs(
    payments: Iterable[Payment], party: str, month: int, suggested: Price | None = None
) -> list[SharedRung]:
    """Return what others paid for one product, as a party is shown it.

    Args:
        payments: all of the product, each giver, receiver, month and price once.
        party: who is shown it. It has no share in any figure, because it knows what it paid and was paid.
        month: the month that is not over yet. Of it and later ones nothing is shown.
        suggested: the suggested price.

    A party that has no part in the product is shown nothing.
    """
    cells: defaultdict[_Cell, list[Payment]] = defaultdict(list)
    has_part = False
    for payment in payments:
        if party in (payment.giver, payment.receiver):
            has_part = True
        elif payment.month < month and payment.units > 0:
            cells[payment.tier, payment.currency_code, payment.month].append(payment)
    if not has_part:
        return []
    shown = [payment for cell in cells.values() if _rests_on_several(cell) for payment in cell]
    payers: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    for payment in shown:
        payers[payment.tier, payment.currency_code].add(payment.payer)
    rows = [PriceRow(*payment[3:]) for payment in shown]
    return [
        SharedRung(
            kind=rung.kind,
            tier=rung.tier,
            currency_code=rung.currency_code,
            units=rung.units,
            mean_minor=rung.mean_minor,
            payers=len(payers[tier_of_kind(rung.kind, rung.tier), rung.currency_code]),
            suggested=rung.suggested,
        )
        for rung in rungs(rows, suggested)[:SHARED_RUNGS_MAX]
    ]


def _rests_on_several(payments: Iterable[Payment]) -> bool:
    """Tell whether enough payers share what was paid, and none has most of it."""
    units: defaultdict[str, int] = defaultdict(int)
    for payment in payments:
        units[payment.payer] += payment.units
    return len(units) >= OTHER_PAYERS_MIN and SHARE_MAX * max(units.values()) <= sum(units.values())
