"""The table of a path says of each step what happened to the goods."""

import click
import pytest

from pathbook.cli import path_table
from tests.verify.written_paths import BEGUN, MASKS, Written, path_of


def whats(story: str) -> list[str]:
    """Return the third column of the table of unit 0, with corrections."""
    path = path_of(Written(MASKS + story), 0)
    table = click.unstyle(path_table.draw(path, corrections=True)).split("\n\n")[1]
    start = table.index("what")
    return [line[start : table.index("giver")].strip() for line in table.splitlines()[1:]]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (
            "record 1:0 acme > ann at 15000\nreturn 1:0 by ann",
            ["transferred", "returned"],
        ),
        (
            "record 1:0 acme > ann at 15000 later\nreturn 1:0 by ann",
            ["title only", "returned, title only"],
        ),
        (
            "record 1:0 acme > ann at 15000 later\ndeliver 1:0 acme > ann\nreturn 1:0 by ann",
            ["title only", "delivered", "returned, title only"],
        ),
        (
            "record 1:0 acme > ann at 15000 as x\nreverse x by ann\nreverse x by acme",
            ["(transferred)", "(reversed)"],
        ),
        (
            "record 1:0 acme > ann at 15000 later as x\nreverse x by ann\nreverse x by acme",
            ["(title only)", "(reversed, title only)"],
        ),
        (
            """record 1:0 acme > ann at 15000
            sell 1:0 ann > wei at 29900
            deliver 1:0 consumer:wei > ann
            return 1:0 by consumer:wei""",
            ["transferred", "sold", "delivered", "returned, title only"],
        ),
        (
            "record 1:0 acme > ann at 15000\nwrite off 1:0 by ann as lost as w\ndeclare w an error by ann",
            ["transferred", "(written off: lost)", f"(error declared: {BEGUN + 2})"],
        ),
    ],
)
def test_a_step_back_says_whether_the_goods_moved(story: str, expected: list[str]) -> None:
    """What goes back is called "title only" if and only if the goods stayed where they were."""
    assert whats(story) == expected


def test_a_hop_that_both_sides_reported_says_so() -> None:
    """The last column says who vouches for a hop."""
    book = Written(
        f"{MASKS}offer 1:0 acme > ann at 15000 as o\naccept o by ann\nrecord 1:0 ann > ben at 18000"
    )
    rows = click.unstyle(path_table.draw(path_of(book, 0))).split("\n\n")[1].splitlines()
    assert [row.split("  ")[-1] for row in rows] == ["attested by", "both sides", "operator"]
