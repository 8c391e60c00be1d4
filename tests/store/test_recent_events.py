"""Events that the views took last: what is kept of them is what the log has, and is bounded."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.store.views.recent_events import RecentEvents
from tests.projections.synthetic import SyntheticBook


@pytest.fixture(scope="module")
def book() -> SyntheticBook:
    """A book with some hundred events."""
    return SyntheticBook(1, 120)


@given(st.data())
def test_recent_events_are_those_of_the_log(book: SyntheticBook, data: st.DataObject) -> None:
    """However they came in groups, a report gets the next events of its position in order, or none at all."""
    head = len(book.recorded)
    cuts = data.draw(st.sets(st.integers(1, head - 1)))
    limit = data.draw(st.sampled_from([0, 20, 100, 10_000]))
    recent = RecentEvents(limit)
    for begin, end in itertools.pairwise([0, *sorted(cuts), head]):
        recent.add("book", book.recorded[begin:end])
        assert recent._size <= limit
    after, count = data.draw(st.integers(0, head)), data.draw(st.integers(1, head))
    found = recent.after("book", after, count)
    assert found in ([], book.recorded[after : after + count])
    assert found or limit < 10_000 or after == head
    assert recent.after("other", after, count) == []


def test_events_that_do_not_follow_replace_those_before(book: SyntheticBook) -> None:
    """After a gap, or of another book, only the later events are kept."""
    recent = RecentEvents()
    recent.add("book", book.recorded[:10])
    recent.add("book", book.recorded[20:30])
    assert recent.after("book", 9, 5) == []
    assert recent.after("book", 20, 5) == book.recorded[20:25]
    recent.add("other", book.recorded[30:40])
    assert recent.after("book", 20, 5) == []
    recent.clear()
    assert recent.after("other", 30, 5) == []
