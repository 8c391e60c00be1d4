"""The price ladder: what each tier paid for units of a batch, beside the suggested price for consumers.

Prices are compared and added exactly. Only a mean or a sum is rounded, once, to a minor unit, half to even.
"""

import enum
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple, assert_never

import msgspec

from pathbook.ledger import events, key_events
from pathbook.ledger.events import Event
from pathbook.ledger.reports.report import Column, ColumnKind, Fold, Report, SumRow
from pathbook.ledger.reports.story import ToldEvent
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import MAX_PRICE_UNITS, Price, is_consumer

NO_TIER = -1
"""The tier that stands for parties without a tier."""

CONSUMER_TIER = 1_000
"""The tier that stands for consumers. It is above every tier that an agent may be given."""


def tier_of(name: str, tier: int | None) -> int:
    """Return the tier of a party or consumer as reports keep it: CONSUMER_TIER or NO_TIER if it has none."""
    if tier is not None:
        return tier
    return CONSUMER_TIER if is_consumer(name) else NO_TIER


class LadderChanges:
    """How many units each tier receives at each price in a sequence of events. Units that it gives back are negative.

    ``sums`` has the number of units by batch, tier, and price: currency, minor units, and how many units these are for.
    """

    def __init__(self) -> None:
        self.sums: defaultdict[tuple[int, int, str, int, int], int] = defaultdict(int)

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
                | events.TransferAttested()
                | events.ErrorDeclared()
                | events.ProductCorrected()
                | events.BatchCorrected()
                | events.PartyCorrected()
                | events.Sealed()
                | key_events.KeyRegistered()
                | key_events.KeyRevoked()
                | key_events.StatementsFiled()
            ):
                pass  # no tier pays for units
            case _:
                assert_never(event)

    def _count(self, terms: Terms, sign: int) -> None:
        sums, price = self.sums, terms.unit_price
        currency, amount, per_units = price.currency_code, price.amount_minor, price.per_units
        for part in terms.ranges:
            tier = tier_of(terms.receiver, terms.authority(part.batch).receiver_tier)
            sums[part.batch, tier, currency, amount, per_units] += sign * (part.last - part.first + 1)

    def rows(self) -> list[SumRow]:
        """Return the rows of LADDER to which the events add units."""
        return [(*key, units) for key, units in self.sums.items() if units]


def _fold() -> Fold:
    changes = LadderChanges()

    def add(told: ToldEvent) -> None:
        changes.add(told.recorded.event)

    return Fold(add, changes.rows)


LADDER: Final = Report(
    name="ladder",
    version=1,
    key=(
        Column("batch", ColumnKind.BATCH),
        Column("tier", ColumnKind.TIER),
        Column("currency_code", ColumnKind.TEXT),
        Column("amount_minor", ColumnKind.NUMBER),
        Column("per_units", ColumnKind.SMALL),
    ),
    sums=("units",),
    fold=_fold,
)
"""A histogram of how many units of a batch a tier received at a price. Prices of the same value that were stated for
other numbers of units have rows of their own."""


class PriceRow(NamedTuple):
    """How many units a tier received at a price of ``amount_minor`` minor units for ``per_units`` units."""

    tier: int
    currency_code: str
    amount_minor: int
    per_units: int
    units: int


class RungKind(enum.IntEnum):
    """Whose prices a rung has: those of parties of a tier, of parties without a tier, or of consumers."""

    TIER = 1
    NO_TIER = 2
    CONSUMER = 3


class Rung(msgspec.Struct, frozen=True, gc=False):
    """What one tier paid for units in one currency, without units that went back.

    ``tier`` is 0 unless the kind is TIER. Least, quartiles, median and most are prices that were paid. If one was
    stated in several ways, such as 1 for 2 units and 2 for 4, it is the one for the fewest units. A quarter, half or
    three quarters of the units, rounded up, were paid with at most the lower quartile, the median, the upper quartile.
    Mean and sum are in minor units, exact until they are rounded half to even. ``suggested`` is None if the suggested
    prices of the batches differ or are in another currency.
    """

    kind: RungKind
    tier: int
    currency_code: str
    units: int
    least: Price
    lower_quartile: Price
    median: Price
    upper_quartile: Price
    most: Price
    mean_minor: int
    sum_minor: int
    suggested: Price | None


_OTHERS = {NO_TIER: RungKind.NO_TIER, CONSUMER_TIER: RungKind.CONSUMER}
_TIERS = {kind: tier for tier, kind in _OTHERS.items()}


def tier_of_kind(kind: RungKind, tier: int) -> int:
    """Return the tier of a rung as reports keep it."""
    return _TIERS.get(kind, tier)


RANK_BITS = 2 * MAX_PRICE_UNITS.bit_length()
"""The binary places of `_rank`. Two prices that differ do so by at least 1 / MAX_PRICE_UNITS ** 2 minor units."""


SUM_BITS = 64
"""The binary places with which fractions of minor units are added. What they leave open is a half, or very near to
one."""


def rungs(prices: Iterable[PriceRow], suggested: Price | None) -> list[Rung]:
    """Return a rung for each tier and currency. Tiers come first, from the top, then no tier, then consumers."""
    paid: defaultdict[tuple[int, int, str], list[PriceRow]] = defaultdict(list)
    for price in prices:
        kind = _OTHERS.get(price.tier, RungKind.TIER)
        paid[kind.value, price.tier if kind is RungKind.TIER else 0, price.currency_code].append(price)
    return [
        _rung(RungKind(kind), tier, currency_code, _in_order(rows), suggested)
        for (kind, tier, currency_code), rows in sorted(paid.items(), key=itemgetter(0))
    ]


def _in_order(prices: list[PriceRow]) -> list[PriceRow]:
    """Return prices by their value. Nearly all are for one unit, and then their amounts have the same order."""
    first = prices[0].per_units
    if all(price.per_units == first for price in prices):
        return sorted(prices, key=attrgetter("amount_minor"))
    return sorted(prices, key=lambda price: (_rank(price), price.per_units))


def _rank(price: PriceRow) -> int:
    """Return a number that is equal for prices of the same value, and else has their order.

    It is exact, because prices that differ are further apart than its last binary place. Fractions take ten times as
    long to sort.
    """
    return (price.amount_minor << RANK_BITS) // price.per_units


def _rung(
    kind: RungKind, tier: int, currency_code: str, prices: list[PriceRow], suggested: Price | None
) -> Rung:
    units = sum(price.units for price in prices)
    mean_minor, sum_minor = _mean_and_sum(prices, units)
    counts = list(accumulate(price.units for price in prices))
    lower, median, upper = (
        _stated(prices[bisect_left(counts, (quarters * units + 3) // 4)], prices) for quarters in (1, 2, 3)
    )
    comparable = suggested is not None and suggested.currency_code == currency_code
    return Rung(
        kind=kind,
        tier=tier,
        currency_code=currency_code,
        units=units,
        least=_stated(prices[0], prices),
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        most=_stated(prices[-1], prices),
        mean_minor=mean_minor,
        sum_minor=sum_minor,
        suggested=suggested if comparable else None,
    )


def _stated(price: PriceRow, prices: list[PriceRow]) -> Price:
    """Return a price as it is stated for the fewest units. The prices are sorted."""
    first = prices[bisect_left(prices, _rank(price), key=_rank)]
    return Price(first.amount_minor, first.currency_code, first.per_units)


def _mean_and_sum(prices: list[PriceRow], units: int) -> tuple[int, int]:
    """Return what was paid for one unit in the mean, and for all units, in minor units, half to even.

    The fractions are added with their first SUM_BITS binary places. Each loses less than one such place. If that can
    change a result, the fractions are added exactly, which takes much longer.
    """
    least = fractions = 0
    for price in prices:
        paid, rest = divmod(price.units * price.amount_minor << SUM_BITS, price.per_units)
        least += paid
        fractions += rest > 0
    whole = 1 << SUM_BITS
    found = _half_to_even(least, whole * units), _half_to_even(least, whole)
    most = least + fractions
    if found != (_half_to_even(most, whole * units), _half_to_even(most, whole)):
        total, whole = _exact_sum(prices)
        return _half_to_even(total, whole * units), _half_to_even(total, whole)
    return found


def _exact_sum(prices: Iterable[PriceRow]) -> tuple[int, int]:
    """Return numerator and denominator of what was paid for all units, in minor units, not in lowest terms.

    Sums are added in pairs, then pairs of pairs. Then thousands of denominators take tenths of a second, and reducing
    each fraction would take minutes.
    """
    by_denominator: defaultdict[int, int] = defaultdict(int)
    for price in prices:
        by_denominator[price.per_units] += price.units * price.amount_minor
    parts = [(total, per_units) for per_units, total in by_denominator.items()]
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        odd = parts[-1:] if len(parts) % 2 else []
        parts = [(a * d + c * b, b * d) for (a, b), (c, d) in pairs] + odd
    return parts[0]


def _half_to_even(numerator: int, denominator: int) -> int:
    """Return a fraction rounded to a whole number. A half is rounded to the even one of its neighbours."""
    rounded, rest = divmod(numerator, denominator)
    return rounded + (2 * rest > denominator or (2 * rest == denominator and rounded % 2 == 1))
