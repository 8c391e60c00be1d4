"""Groups of events: they are read in parts, and end early if their events change many ranges."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.store.database.engine import Purpose
from pathbook.ledger.store.log import entries
from pathbook.ledger.store.log.entries import entries_after
from pathbook.ledger.store.log.event_hashes import StoredEntry
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import stopped_books
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.stopped_books import read_known
from tests.projections.synthetic import SyntheticBook
from tests.store.follower_process import rows_at_once, rows_of


@pytest.fixture
def books(stream: Stream, long_book: SyntheticBook) -> Stream:
    """A log with a long book."""
    stream.append("book", 0, long_book.entries)
    return stream


def test_a_group_ends_with_the_event_that_fills_its_ranges(
    books: Stream, connect: Callable[[Purpose], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has at least one event, and only its last one goes beyond the limit. The views are the same."""
    most = 9
    monkeypatch.setattr(stopped_books, "RANGES_MAX", most)
    reached, sizes = 0, list[int]()
    while group := read_known(books, "book", reached, 1_000)[0]:
        assert [each.position for each in group] == list(range(reached + 1, reached + len(group) + 1))
        ranges = [len(changed_ranges(each.event)) for each in group]
        assert sum(ranges[:-1]) < most
        reached = group[-1].position
        sizes.append(sum(ranges))
    assert reached == books.head("book")
    assert max(sizes) >= most
    views = connect("views")
    Follower(books, views).catch_up("book")
    assert rows_of(views) == rows_at_once(books, tmp_path)


@pytest.mark.parametrize("at_once", [1, 7, 1_000_000])
def test_entries_are_read_in_parts(books: Stream, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are read at once, each comes once and in order, up to the limit or the head."""
    monkeypatch.setattr(entries, "READ_AT_ONCE", at_once)
    head, asked = books.head("book"), list[int]()

    def read(after: int, count: int) -> list[StoredEntry]:
        asked.append(count)
        return books.read("book", after, count)

    for after, limit in ((0, None), (3, None), (3, 20), (head - 5, 20), (head, None), (3, 0)):
        found = [entry.position for entry in entries_after(read, after, limit)]
        assert found == list(range(after + 1, head + 1))[: head if limit is None else limit]
    assert max(asked) <= at_once
