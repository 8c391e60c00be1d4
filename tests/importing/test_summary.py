"""The summary counts rows as accepted, duplicate or rejected, and adds up recorded transfers."""

import datetime

import pytest

from pathbook.importing import summary as summaries
from pathbook.importing.lines import Line, Rejection
from pathbook.importing.loading import load_recipe
from pathbook.importing.summary import Summary
from pathbook.ledger.values import Price


def line(quantity: int) -> Line:
    """Return a line of the Iowa table with only a quantity and prices."""
    day = datetime.date(2012, 1, 31)
    return Line(
        row=7, occurred_on=day, quantity=quantity, players={}, brand="", gtin="", name="",
        suggested_price=Price(0, "USD"), lot="", made_on=day, expires_on=None,
        prices=(Price(475, "USD"), Price(713, "USD")), references=("",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("duplicates", "reason", "counts", "amounts"),
    [
        pytest.param([False, False], "", (1, 0, 0, 2, 6), {"cost": 2850, "retail": 4278}, id="new"),
        pytest.param([True, True], "", (0, 1, 0, 2, 6), {"cost": 2850, "retail": 4278}, id="duplicate"),
        pytest.param([True, False], "", (1, 0, 0, 2, 6), {"cost": 2850, "retail": 4278}, id="half of it new"),
        pytest.param([False, None], "NO: no", (0, 0, 1, 1, 0), {"cost": 2850}, id="half of it refused"),
        pytest.param([None, None], "NO: no", (0, 0, 1, 0, 0), {}, id="refused"),
    ],
)
def test_a_row_counts_once(
    duplicates: list[bool | None],
    reason: str,
    counts: tuple[int, int, int, int, int],
    amounts: dict[str, int],
) -> None:
    """A row is new if any of its transfers is new, and only recorded transfers are added up."""
    summary = Summary(load_recipe("iowa"))
    summary.count(line(6), duplicates, Rejection("table", 7, reason) if reason else None)
    assert (
        summary.accepted,
        summary.duplicate,
        summary.rejected,
        summary.transfers,
        summary.units,
    ) == counts
    assert {name: amount for (name, _), amount in summary.amounts.items()} == amounts


def test_returns_are_subtracted_from_the_sums() -> None:
    """The sums equal those of the table's columns, in which returns are negative."""
    summary = Summary(load_recipe("iowa"))
    for quantity in (6, -4):
        summary.count(line(quantity), [False, False], None)
    assert (summary.units, summary.transfers) == (2, 4)
    assert summary.as_object()["amounts"] == {
        "cost": {"USD": {"amount_minor": 950, "amount": "9.50"}},
        "retail": {"USD": {"amount_minor": 1426, "amount": "14.26"}},
    }


def test_the_first_rejected_rows_are_kept_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory keeps only the first rejected rows, and the count of each reason."""
    monkeypatch.setattr(summaries, "REJECTIONS_KEPT", 3)
    summary = Summary(load_recipe("iowa"))
    for row in range(7):
        summary.reject(Rejection("table", row, "NO: no" if row % 2 else "NEVER: never"))
    assert [rejection.row for rejection in summary.rejections] == [0, 1, 2]
    assert (summary.rejected, summary.reasons) == (7, {"NEVER": 4, "NO": 3})
    assert summary.nothing_stands
