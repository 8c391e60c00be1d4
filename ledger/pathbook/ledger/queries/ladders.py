"""Price ladders: what each tier paid, beside the price suggested to consumers."""

from collections.abc import Iterable
from itertools import accumulate, groupby

from pathbook.ledger.projections.ladders import CONSUMER_TIER, NO_TIER
from pathbook.ledger.queries.answers import Rung, RungKind
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.lookups import PriceRow
from pathbook.ledger.store.moment import Moment
from pathbook.ledger.values import Money

_OTHERS = {NO_TIER: RungKind.NO_TIER, CONSUMER_TIER: RungKind.CONSUMER}


def ladder_of_batch(views: Moment, number: int) -> list[Rung] | Refusal:
    """Return what each tier paid for units of a batch."""
    batch = views.batch(number)
    if batch is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=number)
    return rungs(views.prices_of_batch(number), Money(batch.suggested_minor, batch.suggested_currency))


def ladder_of_product(views: Moment, gtin: str) -> list[Rung] | Refusal:
    """Return what each tier paid for units of all batches of a product."""
    if views.product(gtin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=gtin)
    suggested = views.suggestions(gtin)
    return rungs(views.prices_of_product(gtin), Money(*suggested[0]) if len(suggested) == 1 else None)


def rungs(prices: Iterable[PriceRow], suggested: Money | None) -> list[Rung]:
    """Return a rung for each tier and currency: tiers from the first down, then no tier, then consumers."""
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
    kind: RungKind, tier: int, currency_code: str, prices: list[PriceRow], suggested: Money | None
) -> Rung:
    units = sum(price.units for price in prices)
    total = sum(price.units * price.amount_minor for price in prices)
    middle = (units + 1) // 2  # of an even number the lower one
    counted = accumulate(price.units for price in prices)
    median = next(price.amount_minor for price, count in zip(prices, counted, strict=True) if count >= middle)
    comparable = suggested is not None and suggested.currency_code == currency_code
    return Rung(
        kind,
        tier,
        currency_code,
        units,
        prices[0].amount_minor,
        median,
        prices[-1].amount_minor,
        _half_to_even(total, units),
        total,
        suggested.amount_minor if suggested is not None and comparable else None,
    )


def _half_to_even(total: int, units: int) -> int:
    mean, rest = divmod(total, units)
    return mean + (2 * rest > units or (2 * rest == units and mean % 2 == 1))
