"""In a simulated market, the rules of findings find every cheater, and accuse no one else."""

from functools import cache

import pytest

from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.domino import OFFERS
from pathbook.ledger.reports.report import Report
from tests.reports.cheaters import CHEATS
from tests.reports.folding import summed
from tests.reports.market import Tally, cheated, clean
from tests.reports.naive_units import NaiveUnits
from tests.reports.trading import Market

KINDS = len(CHEATS) + 1
"""How many kinds of cheaters there are. Those who share keys come last."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_honest_market_has_no_findings(seed: int) -> None:
    """Declined, short and returned goods, reversals and late deliveries are no reason for suspicion."""
    market = Market(seed, agents=60, days=60, batches=6, size=20_000)
    kinds = {type(each.event).__name__ for each in market.recorded}
    assert {"TransferDeclined", "UnitsReturned", "TransferReversed", "UnitsDelivered"} <= kinds
    assert clean(market) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_cheater_is_found_and_no_one_else(seed: int) -> None:
    """Two cheaters of each kind are planted: all of them are found, at the events where they cheated."""
    tallies = cheated(Market(seed, agents=60, days=60, batches=6, size=20_000), times=2)
    assert tallies == [Tally(tally.rule, planted=2, hits=2, misses=0, false=0) for tally in tallies]
    assert len(tallies) == KINDS


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_a_market_with_cheaters_may_be_cut_anywhere(report: Report) -> None:
    """The rows of a report are the same whether events are taken one by one, in groups, or at once."""
    recorded = trace().recorded
    at_once = summed(report, [recorded])
    assert at_once or report is OFFERS  # no offer is open at the end
    assert summed(report, [[each] for each in recorded]) == at_once
    assert summed(report, [recorded[:700], recorded[700:1_500], recorded[1_500:]]) == at_once


@cache
def trace() -> Market:
    """Return a market in which each kind of cheater cheated once."""
    market = Market(5, agents=60, days=60, batches=6, size=20_000)
    cheated(market, times=1)
    return market


def test_the_market_agrees_with_a_naive_replay() -> None:
    """What agents hold in the simulation is what a replay of its events says, unit by unit."""
    market = Market(4, agents=60, days=60, batches=6, size=20_000)
    held: dict[str, int] = {}
    for (_, owner, _, _), (units, _) in NaiveUnits(market.recorded).holdings().items():
        held[owner] = held.get(owner, 0) + units
    assert held == {
        agent: sum(lot.part.count for lot in lots) for agent, lots in market.stock.items() if lots
    }
    assert len(held) > 20
