"""Units that come back to who had them leave the lines of those who got them after it."""

from collections import defaultdict

import pytest

from tests.queries.written import MASKS
from tests.reports.books_read import ReadBook
from tests.scenario import Story


def left(text: str) -> dict[str, int]:
    """Return how many units are left in the line of each party after some events."""
    story = Story(MASKS)
    story.tell(text)
    found: defaultdict[str, int] = defaultdict(int)
    for row in ReadBook(story.recorded).lines():
        found[row.party] += row.entered - row.sold - row.lost
    return dict(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("record 1:0-9 acme > ann at 1\nrecord 1:0-9 ann > acme at 1", {"acme": 100}),
        (
            "record 1:0-9 acme > ann at 1\nrecord 1:0-9 ann > ben at 1\nrecord 1:0-3 ben > ann at 1",
            {"acme": 100, "ann": 10, "ben": 6},
        ),
        (
            """
            record 1:0-9 acme > ann at 1
            record 1:0-9 ann > ben at 1
            record 1:0-3 ben > acme at 1
            record 1:0-1 acme > ben at 1
            return 1:0 by ben
            """,
            {"acme": 100, "ann": 6, "ben": 7},
        ),
    ],
)
def test_units_that_were_sold_back_are_left_to_who_has_them(text: str, expected: dict[str, int]) -> None:
    """Up to the brand, past a party or to the party before: a transfer takes them out of lines as a return does."""
    assert left(text) == expected
