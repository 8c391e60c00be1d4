"""The verbs of insights: what they refuse to take, and what they print of a book whose answers are known."""

import datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pathbook.cli import insight_text
from pathbook.cli.insight_filter import takes_filter, takes_today
from pathbook.cli.settings import current_zone
from pathbook.v1 import insights_pb2 as insights
from pathbook.v1.values_pb2 import Price
from tests.cli.conftest import pathbook

BEYOND = str(2**31)


@pytest.mark.parametrize(
    "line",
    [
        "stuck --tier 5000000000",
        f"stuck --expiring-days {BEYOND}",
        f"stuck --limit {BEYOND}",
        f"sell-through ann --window-days {BEYOND}",
        f"shape ann --participants-min {BEYOND}",
        f"shape ann --levels-min {BEYOND}",
        f"shape ann --within-days {BEYOND}",
        "findings --rule nonsense",
        "domino ann --with-party ben",
        "sell-through ann --with-party ben",
        "shape ann --with-party ben",
        "scorecard ann --with-party ben",
    ],
)
def test_what_an_answer_could_not_heed_is_a_usage_error(tmp_path: Path, line: str) -> None:
    """Numbers that the contract cannot say, rules that are not there, and a second party."""
    ran = pathbook("insight", *line.split(), "--data", str(tmp_path))
    assert (ran.code, "Traceback" in ran.err) == (2, False), ran.err


def test_the_names_of_rules_are_told(tmp_path: Path) -> None:
    """A rule that is not there is answered with those that are."""
    ran = pathbook("insight", "findings", "--rule", "nonsense", "--data", str(tmp_path))
    assert "bought-back" in ran.err
    assert "self-dealing" in ran.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--as-of 5", [None]),
        ("--known-at 2026-05-01T00:00:00Z", [None]),
        ("--as-of 5 --today 2026-06-01", [datetime.date(2026, 6, 1)]),
        ("--today 2026-06-01", [datetime.date(2026, 6, 1)]),
    ],
)
def test_an_answer_as_of_before_has_its_own_day(options: str, expected: list[datetime.date | None]) -> None:
    """Days count up to the position or time that is asked about, unless a day is named."""
    assert days_of(options) == expected


def test_another_answer_has_the_day_of_the_zone() -> None:
    """Without a position or time, days count up to today where the user is."""
    zone = current_zone()
    before = zone.today()
    (day,) = days_of("")
    assert day is not None
    assert before <= day <= zone.today()


def days_of(options: str) -> list[datetime.date | None]:
    """Return the days that a command with the filter and --today gets."""
    days: list[datetime.date | None] = []

    @click.command()
    @takes_filter
    @takes_today
    def command(*, only: insights.InsightFilter, today: datetime.date | None) -> None:
        assert only is not None
        days.append(today)

    assert CliRunner().invoke(command, options.split()).exit_code == 0
    return days


def test_sums_that_the_contract_cannot_say_are_too_large() -> None:
    """A currency without its sum, a lot without what was paid for it, and a stake that cost something."""
    price = Price(amount_minor=2**62, currency_code="CNY", per_units=1)
    tier = insights.StockOfTier(tier=1, units=9, parties=1, loss_minor={"CNY": 5}, paid_minor={"USD": 100})
    lot = insights.StockLot(owner="ann", units=9, paid=price, best=price)
    stuck = insight_text.stuck(insights.GetStuckStockResponse(tiers=[tier], lots=[lot]))
    assert "1.00 USD, too large (CNY)" in stuck
    assert stuck.count("too large") == 2
    stakes = [insights.Stake(party="ann", units=9, transfers=[5]), insights.Stake(party="ben")]
    domino = insights.Domino(agent="ann", stakes=stakes, units=9)
    assert insight_text.domino(insights.GetDominoResponse(domino=domino)).count("too large") == 2


def test_a_shape_says_what_its_numbers_are_of() -> None:
    """Early purchases have their buyers and those before; depths and hops are of whole batches."""
    early = insights.EarlyPurchases(within_days=30, buyers=1, before=3, early=4, later=5)
    depths = [insights.Depth(depth=1, stock=2)]
    text = insight_text.shape(
        insights.GetShapeResponse(shape=insights.Shape(organizer="ann", early=early, depths=depths))
    )
    assert "4 units within 30 days of their authorization, 3 before, 5 later, by 1 party" in text
    assert "also their units that are not below ann" in text


def test_offers_that_lapsed_were_closed_and_not_answered() -> None:
    """A scorecard calls an offer that no one answered closed."""
    card = insights.Scorecard(party="ann", offers_answered=1)
    assert "0 of 1 that were closed" in insight_text.scorecard(insights.GetScorecardResponse(scorecard=card))
