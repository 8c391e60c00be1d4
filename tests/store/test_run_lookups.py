"""Runs in force are found by ranges and by owners, on both kinds of database."""

import random

import pytest
from sqlalchemy import Engine

from pathbook.ledger.runs import Partition
from pathbook.ledger.spans import merged
from pathbook.ledger.store.database.engine import reading
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import run_lookups
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.run_lookups import load_partition, load_runs, load_stocks
from pathbook.ledger.values import MAX_BATCH_SIZE, UnitRange
from tests.projections.synthetic import SIZES, SyntheticBook
from tests.store.follower_process import Connect
from tests.store.plans import plans_of, scans_in, searches_in

PARTIES = ("acme", "ann", "ben", "cat", "consumer:wei", "nobody", "consumer:\0")


def test_runs_are_found_by_the_ranges_that_touch_them(
    stream: Stream, connect: Connect, long_book: SyntheticBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random ranges, some in one run and some over many, find each run once."""
    monkeypatch.setattr(run_lookups, "ROWS_PER_STATEMENT_MAX", 7)
    views = _projected(stream, connect, long_book)
    chance = random.Random(1)
    with reading(views) as connection:
        for count in (0, 1, 3, 20, 20, 20):
            ranges = [_range(chance) for _ in range(count)]
            found = load_runs(connection, "book", [*ranges, UnitRange(9_999, 0, 5)])
            for number, partition in long_book.state.partitions.items():
                touched = [
                    run
                    for run in partition.runs
                    if any(
                        part.batch == number and part.first <= run.last and part.last >= run.first
                        for part in ranges
                    )
                ]
                assert (found[number].runs if number in found else []) == touched
            assert 9_999 not in found


def test_the_runs_of_owners_are_found_some_at_once(
    stream: Stream, connect: Connect, long_book: SyntheticBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a unit on, at most so many runs of each owner are found, and what is found says where it ends."""
    monkeypatch.setattr(run_lookups, "ROWS_PER_STATEMENT_MAX", 3)
    views = _projected(stream, connect, long_book)
    chance = random.Random(2)
    with reading(views) as connection:
        for _ in range(10):
            stocks = {
                (number, owner): (chance.choice((0, 0, 5, 30, MAX_BATCH_SIZE)), chance.choice((1, 2, 5, 500)))
                for number in (1, 2, 3, 9_999)
                for owner in chance.sample(PARTIES, 4)
            }
            found = load_stocks(connection, "book", stocks)
            for (number, owner), (first, count) in stocks.items():
                partition = long_book.state.partitions.get(number)
                owned = (
                    []
                    if partition is None
                    else [run for run in partition.owned_by(owner) if run.first >= first]
                )
                loaded = [run for run in found[number].runs if run.owner == owner]
                assert loaded == owned[:count]
                end = MAX_BATCH_SIZE if len(owned) < count else owned[count - 1].first + 1
                assert found[number].stock_ends[owner] == end


def test_some_runs_of_ranges_are_found_at_once(
    stream: Stream, connect: Connect, long_book: SyntheticBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number of runs is not exceeded by more than a statement finds. What is missing then is found the next time."""
    monkeypatch.setattr(run_lookups, "ROWS_PER_STATEMENT_MAX", 2)
    views = _projected(stream, connect, long_book)
    ranges = [UnitRange(number, 0, SIZES[number - 1] - 1) for number in (1, 2, 3)]
    loaded: dict[int, Partition] = {}
    with reading(views) as connection:
        while missing := [
            gap
            for part in ranges
            for gap in (loaded[part.batch].missing(part.first, part.last) if part.batch in loaded else [part])
        ]:
            found = load_runs(connection, "book", missing, 3)
            assert 0 < sum(len(part.runs) for part in found.values()) <= 5
            for number, part in found.items():
                loaded[number] = merged(loaded.get(number), part)
    for number in (1, 2, 3):
        assert loaded[number].runs == long_book.state.partitions[number].runs


def test_a_batch_is_found_whole(stream: Stream, connect: Connect, long_book: SyntheticBook) -> None:
    """All runs in force of a batch are found, in order, and none of a batch that does not exist."""
    views = _projected(stream, connect, long_book)
    with reading(views) as connection:
        for number, partition in long_book.state.partitions.items():
            loaded = load_partition(connection, "book", number)
            assert loaded is not None
            assert loaded.runs == partition.runs
        assert load_partition(connection, "book", 9_999) is None


def test_runs_in_force_are_found_by_their_keys(stream: Stream, connect: Connect) -> None:
    """Whatever the statistics say, runs of ranges and of owners are found by batch and first unit or owner."""
    views = connect("views")
    Follower(stream, views)
    plans = plans_of(views)
    with reading(views) as connection:
        load_runs(connection, "book", [UnitRange(1, number, number + 2) for number in range(150)])
        load_stocks(connection, "book", {(1, f"party-{number}"): (0, 5) for number in range(150)})
    searches = searches_in(plans)
    assert searches, plans
    assert all("batch" in step for step in searches), plans
    assert not scans_in(plans), plans


def _projected(stream: Stream, connect: Connect, long_book: SyntheticBook) -> Engine:
    """Return the views of a long book, with those of another book beside them."""
    stream.append("book", 0, long_book.entries)
    stream.append("other", 0, SyntheticBook(5, 300).entries)
    views = connect("views")
    follower = Follower(stream, views)
    for book in ("book", "other"):
        follower.catch_up(book)
    return views


def _range(chance: random.Random) -> UnitRange:
    batch = chance.randint(1, len(SIZES))
    first = chance.randrange(min(SIZES[batch - 1], 60))
    return UnitRange(
        batch, first, min(first + chance.choice((0, 0, 1, 5, 40, 1_000_000)), SIZES[batch - 1] - 1)
    )
