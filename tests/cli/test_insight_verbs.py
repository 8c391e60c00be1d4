"""The verbs of insights: what they refuse to take, and what they print of a book whose answers are known."""

import datetime
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pathbook.cli import insight_text
from pathbook.cli.insight_filter import takes_filter, takes_today
from pathbook.cli.settings import current_zone
from pathbook.client import Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1 import insights_pb2 as insights
from pathbook.v1.values_pb2 import Price
from tests.cli.conftest import pathbook
from tests.services.masks import begin, boxes, yuan

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
        "findings --after 5",
        "findings --follow --tier 1",
        "findings --follow --as-of 5",
        "findings --follow --unexplained",
        "findings --follow --limit 5",
        "explain below-cost.v1.1.9.ann.ben",
        "verifications --unit 7",
        "verifications --unit 1:5 --batch 2",
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


def test_what_an_answer_leaves_out_is_said() -> None:
    """A ladder says that others' prices are missing, and verifications up to which day counts are."""
    ladder = insights.GetLadderResponse(as_of_position=7, shared_left_out=True)
    assert "What others paid is left out" in insight_text.ladder(ladder)
    assert "left out" not in insight_text.ladder(insights.GetLadderResponse(as_of_position=7))
    counts = insights.GetVerificationsResponse(partial_through="2026-03-01")
    assert "Up to 2026-03-01 counts are missing" in insight_text.verifications(counts)
    assert "missing" not in insight_text.verifications(insights.GetVerificationsResponse())


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


def test_findings_are_followed_and_explained(tmp_path: Path) -> None:
    """A change is a line with a cursor, after which another command goes on. An explanation is in the table."""
    with running(Settings(data=tmp_path, listen="127.0.0.1:0")) as port:
        server = ("--server", f"127.0.0.1:{port}", "--book", "masks")
        with Client(server[1], book="masks") as client:
            begin(client)
            for box in (0, 10):
                client.record_transfer(
                    giver="acme", receiver="ann", units=boxes(box, box + 4), unit_price=yuan(310)
                )
        follow = ("insight", "findings", "--rule", "above-suggested", "--follow")
        first = followed(*server, *follow, "--after", "0", "--output", "json")
        assert (first["kind"], first["units_before"]) == ("FINDING_CHANGE_KIND_FOUND", "0")
        second = followed(*server, *follow, "--after", str(first["cursor"]), "--output", "jsonl")
        assert int(str(second["position"])) == int(str(first["position"])) + 1
        finding = second["finding"]
        assert isinstance(finding, dict)
        name = str(finding["id"])
        ran = pathbook(*server, "insight", "explain", name, "--text", "clearance sale")
        assert (ran.code, "by operator" in ran.out) == (0, True), ran
        table = pathbook(*server, "insight", "findings", "--rule", "above-suggested").out
        assert name in table
        assert "clearance sale" in table
        ran = pathbook(*server, "insight", "explain", name, "--withdraw", "--text", "it was none")
        assert ran.code == 0
        listed = pathbook(*server, "insight", "explanations", name).out
        assert "taken back: it was none" in listed
        assert "clearance sale" in listed


def followed(*arguments: str) -> dict[str, object]:
    """Return the first line of a command that goes on until it is ended."""
    command = [sys.executable, "-c", "from pathbook.cli.main import main; main()", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        line = following.stdout.readline()
        following.terminate()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_an_explanation_of_fewer_units_says_so() -> None:
    """A finding may grow. A text that was erased is not shown as none."""
    said = insights.Explanation(text="sale", units=5)
    finding = insights.Finding(id="out-of-region.v1.1.4-5.ann.ben", units=9, explanation=said)
    assert "sale (of 5 units)" in insight_text.findings(insights.GetFindingsResponse(findings=[finding]))
    finding.explanation.CopyFrom(insights.Explanation(text_erased=True, units=9))
    assert "(erased)" in insight_text.findings(insights.GetFindingsResponse(findings=[finding]))
