"""The price ladder: what each tier paid for units of a batch, beside the suggested price for consumers."""

import enum
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate, groupby
from typing import NamedTuple, assert_never

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import Event, Terms
from pathbook.ledger.values import Price, is_consumer

NO_TIER = -1
"""The tier that stands for parties without a tier."""

CONSUMER_TIER = 1_000
"""The tier that stands for consumers. It is above every tier that an agent may be given."""


class LadderChanges:
    """How many units each tier receives at each price in a sequence of events. Units that it gives back are negative.

    ``sums`` has the number of units by batch, tier, currency, and price of one unit in minor units.
    """

    def __init__(self) -> None:
        self.sums: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)

    def add(self, event: Event) -> None:
        """Count the units of an event. Units that go back are subtracted at the tier and price of their terms."""
        match event:  # the most frequent kinds come first, because a match tries its cases in turn
            case events.TransferRecorded() | events.UnitsSold() | events.TransferAccepted():
                self._count(event.terms, 1)
            case events.TransferReversed():
                self._count(event.terms, -1)
            case events.UnitsReturned():
                for line in event.lines:
                    self._count(line.terms, -1)
            case (
                events.TransferOffered()
                | events.TransferDeclined()
                | events.TransferWithdrawn()
                | events.TransferLapsed()
                | events.ReversalAsked()
                | events.BookOpened()
                | events.PartyRegistered()
                | events.PartyAuthorized()
                | events.AuthorizationRevoked()
                | events.ProductRegistered()
                | events.BatchCommissioned()
                | events.UnitsDelivered()
                | events.PurchaseConfirmed()
                | events.UnitsWrittenOff()
                | events.CasePacked()
                | events.CaseUnpacked()
                | events.UnitsRecalled()
                | events.RecallLifted()
            ):
                pass  # no tier pays for units
            case _:
                assert_never(event)

    def _count(self, terms: Terms, sign: int) -> None:
        sums, tier, price = self.sums, terms.receiver_tier, terms.unit_price
        if tier is None:
            tier = CONSUMER_TIER if is_consumer(terms.receiver) else NO_TIER
        currency, amount = price.currency_code, price.amount_minor
        for part in terms.ranges:
            sums[part.batch, tier, currency, amount] += sign * (part.last - part.first + 1)


class PriceRow(NamedTuple):
    """How many units a tier received at a price, in minor units."""

    tier: int
    currency_code: str
    amount_minor: int
    units: int


class RungKind(enum.IntEnum):
    """Whose prices a rung has: those of parties of a tier, of parties without a tier, or of consumers."""

    TIER = 1
    NO_TIER = 2
    CONSUMER = 3


class Rung(msgspec.Struct, frozen=True, gc=False):
    """What one tier paid for units in one currency, without units that went back.

    ``tier`` is 0 unless the kind is TIER. The median of an even number of units is the lower of the two in the
    middle. The mean is rounded half to even. ``suggested_minor`` is None if the suggested prices of the batches
    differ or are in another currency.
    """

    kind: RungKind
    tier: int
    currency_code: str
    units: int
    least_minor: int
    median_minor: int
    most_minor: int
    mean_minor: int
    sum_minor: int
    suggested_minor: int | None


_OTHERS = {NO_TIER: RungKind.NO_TIER, CONSUMER_TIER: RungKind.CONSUMER}


def rungs(prices: Iterable[PriceRow], suggested: Price | None) -> list[Rung]:
    """Return a rung for each tier and currency. Tiers come first, from the top, then no tier, then consumers."""
    return [
        _rung(RungKind(kind), tier, currency_code, list(paid), suggested)
        for (kind, tier, currency_code), paid in groupby(
            sorted(prices, key=_place), key=lambda p: _place(p)[:3]
        )
    ]


def _place(price: PriceRow) -> tuple[int, int, str, int]:
    kind = _OTHERS.get(price.tier, RungKind.TIER)
    tier = price.tier if kind is RungKind.TIER else 0
    return kind.value, tier, price.currency_code, price.amount_minor


def _rung(
    kind: RungKind, tier: int, currency_code: str, prices: list[PriceRow], suggested: Price | None
) -> Rung:
    units = sum(price.units for price in prices)
    total = sum(price.units * price.amount_minor for price in prices)
    middle = (units + 1) // 2  # the lower of two for an even number
    counted = accumulate(price.units for price in prices)
    median = next(price.amount_minor for price, count in zip(prices, counted, strict=True) if count >= middle)
    comparable = suggested is not None and suggested.currency_code == currency_code
    return Rung(
        kind=kind,
        tier=tier,
        currency_code=currency_code,
        units=units,
        least_minor=prices[0].amount_minor,
        median_minor=median,
        most_minor=prices[-1].amount_minor,
        mean_minor=_half_to_even(total, units),
        sum_minor=total,
        suggested_minor=suggested.amount_minor if suggested is not None and comparable else None,
    )


def _half_to_even(total: int, units: int) -> int:
    mean, rest = divmod(total, units)
    return mean + (2 * rest > units or (2 * rest == units and mean % 2 == 1))
