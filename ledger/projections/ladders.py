"""Rows of price ladders: how many units of a batch each tier received at each price, less what went back."""

from typing import NamedTuple

from ledger.events import Terms
from ledger.values import is_consumer

NO_TIER = -1
"""The tier under which a party stands that nobody ever gave one."""

CONSUMER_TIER = 1_000
"""The tier under which consumers stand: above every tier an agent may be given."""


class LadderStep(NamedTuple):
    """So many units more (or, below zero, fewer) that a tier received at a price, in minor units."""

    batch: int
    tier: int
    currency_code: str
    amount_minor: int
    units: int


def paid(terms: Terms) -> list[LadderStep]:
    """Units reached a tier at a price."""
    return _steps(terms, 1)


def unpaid(terms: Terms) -> list[LadderStep]:
    """Units went back: they no longer count where their original terms had put them."""
    return _steps(terms, -1)


def _steps(terms: Terms, sign: int) -> list[LadderStep]:
    tier = terms.receiver_tier
    if tier is None:
        tier = CONSUMER_TIER if is_consumer(terms.receiver) else NO_TIER
    price = terms.unit_price
    return [
        LadderStep(
            part.batch,
            tier,
            price.currency_code,
            price.amount_minor,
            sign * (part.last - part.first + 1),
        )
        for part in terms.ranges
    ]
