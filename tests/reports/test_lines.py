"""Units that come back to who had them leave the lines of those who got them after it, however far they have come."""

from collections import defaultdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

import pytest

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.reports import all_reports, depths, sell_through, story
from pathbook.ledger.reports.story import tell
from tests.lines_run import lines_run
from tests.queries.written import MASKS
from tests.reports.books_read import ReadBook
from tests.scenario import Story

PARTIES: Final = ("acme", "ann", "ben", "cat", "dan", "eve", "fay")


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


def passed_on(hops: int, seed: int = 1) -> Story:
    """Return a book in which units go from party to party very often. Some stay behind, go back or are sold."""
    random, told = Random(seed), Story(MASKS)
    for party in PARTIES:
        if party not in told.state.parties:
            told.tell(f"agent {party}")
    path = ["acme", *(random.choice(PARTIES) for _ in range(hops))]
    last = 19
    for number, (giver, receiver) in enumerate(pairwise(path)):
        if giver == receiver:
            continue
        told.tell(f"record 1:0-{last} {giver} > {receiver} at 1")
        if number % (hops // 5) == hops // 10:
            told.tell(f"sell 1:{last} {receiver} > buyer at 2\nsell 1:{last - 1} {receiver} > buyer at 2")
            told.tell(f"return 1:{last} by consumer:buyer")
            last -= 2
    return told


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_long_pasts_are_counted_as_short_ones(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether all hops of a unit are walked, or those from a milestone on, the rows of reports are the same."""
    recorded = passed_on(200, seed).recorded
    found = []
    for walked in (1_000, 64, 3):
        for module in (story, sell_through, depths):
            monkeypatch.setattr(module, "SHORT_PAST", walked)
        book = ReadBook(recorded)
        found.append((book.lines(), book.depths()))
    assert found[0] == found[1] == found[2]


def test_a_hop_of_a_long_past_costs_reports_as_much_as_an_early_one() -> None:
    """What reports do for an event does not grow with the hops before it."""
    recorded = passed_on(1_200).recorded
    files = list(Path(all_reports.__file__).parent.glob("*.py"))
    stories: dict[int, story.BatchStory] = {}
    adds = [report.fold().add for report in all_reports.REPORTS]

    def fold(each: RecordedEvent) -> None:
        told = tell(stories, each)
        for add in adds:
            add(told)

    costs = [lines_run(partial(fold, each), files) for each in recorded]
    early, late = sum(costs[200:400]), sum(costs[-200:])
    assert late < 1.5 * early, (early, late)
