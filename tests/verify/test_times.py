"""Claimed times are compared with the claimed times before. Late paperwork is noted, and fails nothing."""

import pytest

from pathbook.cli import path_table
from pathbook.ledger.commands import ReturnUnits
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import Selection, UnitRange
from pathbook.verify.checks import LISTED_MAX
from pathbook.verify.verdicts import Number, Result, Verdict
from tests.scenario import _moment
from tests.verify.written_paths import BEGUN, MASKS, Written, check, found, masks, path_of

FIRST = BEGUN + 1
"""The position of the first line after the beginning."""

LATE = "today is 2026-08-01\n"
BOUGHT = "record 1:0 acme > ann at 15000 on 2026-07-10\n"


@pytest.mark.parametrize(
    ("story", "marks"),
    [
        (f"{BOUGHT}record 1:0 ann > ben at 18000 on 2026-06-01", [(FIRST + 1, FIRST)]),
        (
            f"""{BOUGHT}record 1:0 ann > ben at 18000 on 2026-06-01
            sell 1:0 ben > wei at 29900 on 2026-05-01
            confirm 1:0 by wei at 29900 on 2026-04-01""",
            [(FIRST + 1, FIRST), (FIRST + 2, FIRST), (FIRST + 3, FIRST)],
        ),
        (f"{BOUGHT}sell 1:0 ann > wei at 29900 on 2026-07-09", [(FIRST + 1, FIRST)]),
        (f"{BOUGHT}sell 1:0 ann > wei at 29900 on 2026-07-10", []),
        (
            "record 1:0 acme > ann at 15000 later on 2026-07-10\ndeliver 1:0 acme > ann on 2026-07-09",
            [(FIRST + 1, FIRST)],
        ),
        (
            """record 1:0 acme > ann at 15000 on 2026-07-10
            sell 1:0 ann > wei at 29900 on 2026-07-20
            confirm 1:0 by wei at 29900 on 2026-07-15""",
            [(FIRST + 2, FIRST + 1)],
        ),
        (
            "offer 1:0 acme > ann at 15000 on 2026-07-10 as o\naccept o by ann on 2026-07-01",
            [(FIRST + 1, FIRST)],
        ),
        (
            # the wrong date was corrected, so nothing in force is out of order
            f"""{BOUGHT.strip()} as x
            reverse x by ann
            reverse x by acme
            record 1:0 acme > ann at 15000 on 2026-06-10""",
            [],
        ),
        # the batch was commissioned today, but its date of making is what the rules compare each time with
        ("record 1:0 acme > ann at 15000 on 2025-12-24", []),
        (
            f"""{BOUGHT}write off 1:0 by ann as lost as w
            declare w an error by ann
            record 1:0 ann > ben at 18000 on 2026-07-11""",
            [],
        ),
    ],
)
def test_a_step_before_an_earlier_one_is_noted(story: str, marks: list[tuple[int, int]]) -> None:
    """The check of the path names both positions, the table marks the step, and the verdict stays."""
    path = masks(LATE + story)
    report = check(path)
    line = found(report, Number.PATH)
    assert report.verdict is Verdict.VERIFIED
    assert line.result is (Result.NOTED if marks else Result.OK)
    texts = [f"position {late} claims to have happened before position {early}" for late, early in marks]
    assert line.detail.split("; ")[1:] == texts
    table = path_table.draw(path)
    assert table.count(" * ") == len(marks)
    for late, early in marks:
        assert f"{late} claims to have happened before {early}" in table


def test_a_return_that_claims_an_earlier_time_is_noted() -> None:
    """A return claims a time, too."""
    book = Written(f"{MASKS}{LATE}{BOUGHT}sell 1:0 ann > wei at 29900 on 2026-07-20")
    units = Selection((UnitRange(1, 0, 0),))
    returned = ReturnUnits(
        request_id="r", occurred_at=_moment("2026-07-19"), owner="consumer:wei", units=units
    )
    assert not isinstance(book.ask(returned), Refusal)
    detail = found(check(path_of(book, 0)), Number.PATH).detail
    assert f"position {FIRST + 2} claims to have happened before position {FIRST + 1}" in detail


def test_many_marks_are_counted() -> None:
    """No more than a few steps are listed."""
    steps = "".join(
        f"record 1:0 {giver} > {receiver} at 15000 on 2026-0{6 - number // 10}-{20 - number:02}\n"
        for number, (giver, receiver) in enumerate(
            [("ann", "ben"), ("ben", "ann")] * ((LISTED_MAX + 2) // 2) + [("ann", "ben")]
        )
    )
    line = found(check(masks(LATE + BOUGHT + steps)), Number.PATH)
    count = steps.count("\n")
    assert line.detail.count("claims to have happened") == LISTED_MAX
    assert line.detail.endswith(f"; {count - LISTED_MAX} more do likewise")
