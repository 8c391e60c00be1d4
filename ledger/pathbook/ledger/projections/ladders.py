"""Rows of price ladders: how many units of a batch each tier received at each price, less what went back."""

from collections import defaultdict

from pathbook.ledger.events import Terms
from pathbook.ledger.values import is_consumer

NO_TIER = -1
"""The tier under which a party stands that nobody ever gave one."""

CONSUMER_TIER = 1_000
"""The tier under which consumers stand: above every tier an agent may be given."""


class LadderChanges:
    """How many units each tier receives at each price by a sequence of events and (below zero) gives back.

    ``sums`` holds them by batch, tier, currency and amount in minor units.
    """

    def __init__(self) -> None:
        self.sums: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)

    def paid(self, terms: Terms) -> None:
        """Units reached a tier at a price."""
        self._count(terms, 1)

    def unpaid(self, terms: Terms) -> None:
        """Units went back: they no longer count where their original terms had put them."""
        self._count(terms, -1)

    def _count(self, terms: Terms, sign: int) -> None:
        sums, tier, price = self.sums, terms.receiver_tier, terms.unit_price
        if tier is None:
            tier = CONSUMER_TIER if is_consumer(terms.receiver) else NO_TIER
        currency, amount = price.currency_code, price.amount_minor
        for part in terms.ranges:
            sums[part.batch, tier, currency, amount] += sign * (part.last - part.first + 1)
