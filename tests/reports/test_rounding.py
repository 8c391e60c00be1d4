"""Sums of money in reports are added up exactly, and rounded once."""

import datetime

from pathbook.ledger.reports.domino import domino
from pathbook.ledger.reports.holdings import HeldRow, HoldingRow, stock_by_tier, stuck_stock
from pathbook.ledger.reports.registered import Batch
from pathbook.ledger.values import Price

TODAY = datetime.date(2026, 5, 1)
ROWS = [HoldingRow(1, "ann", "ann", transfer, 1, 20_000, "CNY", 3, 2, 1, 0) for transfer in (5, 6)]
"""Two units at a price of 3 for 2, which were bought one by one. Together they cost 3."""


def test_stock_of_a_tier_is_rounded_once() -> None:
    """Two lots of 1.5 are 3 and not 2 + 2, and so is what their owner would lose on each at a best price of 1."""
    batches = {1: Batch("mask", "acme", 9, TODAY, None, Price(3, "CNY"))}
    best = {("mask", "CNY"): Price(1, "CNY")}
    lots = stuck_stock(ROWS, batches, best, TODAY)
    assert [(lot.paid_minor, lot.loss_minor) for lot in lots] == [(2, 0), (2, 0)]
    held = [HeldRow(1, "ann", 1, 20_000, "CNY", 3, 2, 2, 0, 2)]
    (tier,) = stock_by_tier(held, batches, best, TODAY, 30)
    assert (tier.paid_minor, tier.loss_minor) == ({"CNY": 3}, {"CNY": 1})


def test_what_hangs_on_a_party_is_rounded_once() -> None:
    """A stake of two lots of 1.5 is 3, and so is the sum of two stakes of one lot each."""
    found = domino("ann", ROWS, [], [], ["acme"], 0)
    assert (found.stakes[0].paid_minor, found.paid_minor) == ({"CNY": 3}, {"CNY": 3})
