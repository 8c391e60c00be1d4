"""Rows are counted as accepted, duplicate or rejected, and what stands in the book is summed."""

import datetime

import pytest

from pathbook.importing import summary as summaries
from pathbook.importing.lines import Line, Rejection
from pathbook.importing.loading import load_recipe
from pathbook.importing.summary import Summary


def line(quantity: int) -> Line:
    """Return a line of the Iowa table that says nothing but its quantity and prices."""
    day = datetime.date(2012, 1, 31)
    return Line(
        row=7, occurred_on=day, quantity=quantity, players={}, brand="", gtin="", name="",
        suggested_price=(0, "USD"), lot="", made_on=day, expires_on=None, prices=((475, "USD"), (713, "USD")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("duplicates", "reason", "counted", "amounts"),
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
    counted: tuple[int, int, int, int, int],
    amounts: dict[str, int],
) -> None:
    """A row is new where any of its transfers is, and only those that stand are summed."""
    summary = Summary(load_recipe("iowa"))
    summary.count(line(6), duplicates, Rejection("table", 7, reason) if reason else None)
    assert (
        summary.accepted,
        summary.duplicate,
        summary.rejected,
        summary.transfers,
        summary.units,
    ) == counted
    assert {name: amount for (name, _), amount in summary.amounts.items()} == amounts


def test_returns_are_taken_off_the_sums() -> None:
    """The sums are those of the table's own columns, where returns are negative."""
    summary = Summary(load_recipe("iowa"))
    for quantity in (6, -4):
        summary.count(line(quantity), [False, False], None)
    assert (summary.units, summary.transfers) == (2, 4)
    assert summary.as_object()["amounts"] == {
        "cost": {"USD": {"amount_minor": 950, "amount": "9.50"}},
        "retail": {"USD": {"amount_minor": 1426, "amount": "14.26"}},
    }


def test_of_many_rejected_rows_the_first_are_kept_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many rows are rejected, memory holds some of them, and the count of each reason."""
    monkeypatch.setattr(summaries, "REJECTIONS_KEPT", 3)
    summary = Summary(load_recipe("iowa"))
    for row in range(7):
        summary.reject(Rejection("table", row, "NO: no" if row % 2 else "NEVER: never"))
    assert [rejection.row for rejection in summary.rejections] == [0, 1, 2]
    assert (summary.rejected, summary.reasons) == (7, {"NEVER": 4, "NO": 3})
    assert summary.nothing_stands
