"""Followers: the views are the same for any grouping of the events and after any interruption."""

import hashlib
import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.schema import CreateIndex, CreateTable
from structlog.testing import capture_logs

from pathbook.ledger.codec import MalformedEventError
from pathbook.ledger.store.custody.tables import CUSTODY
from pathbook.ledger.store.database.engine import (
    create_schema,
    open_engine,
    reading,
    writing,
)
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.database.format import UnknownFormatError
from pathbook.ledger.store.database.places import VIEWS_VERSION
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import tables
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.head_cache import HeadCache
from pathbook.ledger.store.views.run_cache import RunCache
from pathbook.ledger.store.views.run_lookups import load_partition
from pathbook.ledger.store.views.snapshot import ViewsRebuildingError, open_snapshot
from pathbook.ledger.store.views.writer import open_views
from pathbook.ledger.values import UnitRange
from tests.examples import examples
from tests.projections.synthetic import SIZES, SyntheticBook
from tests.store.follower_process import Connect, child, kill_after, rows_at_once, rows_of

PATIENCE = 60.0
"""How long (seconds) a test waits for anything before it fails."""


@settings(max_examples=examples(5, 25))
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(0, 100),
    sizes=st.lists(st.integers(1, 20), max_size=12),
    events_at_once=st.integers(1, 9),
    limit=st.sampled_from([0, 4, 100_000]),
)
def test_views_do_not_depend_on_the_grouping_of_events(
    seed: int, length: int, sizes: Sequence[int], events_at_once: int, limit: int
) -> None:
    """Views that are updated after every few events have the same rows as views that are projected at once."""
    book = SyntheticBook(seed, length)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        events = open_engine(directory / "events.sqlite", purpose="events")
        stream = Stream(events)
        views = open_engine(directory / "views.sqlite", purpose="views")
        follower = Follower(stream, views, events_at_once)
        follower._projector.cache.partitions = RunCache(limit)
        follower._projector.cache.heads = HeadCache(limit)
        written = 0
        for size in [*sizes, len(book.entries)]:
            entries = book.entries[written : written + size]
            stream.append("book", written, entries)
            written += len(entries)
            assert follower.catch_up("book") == written
        assert rows_of(views) == rows_at_once(stream, directory)
        with reading(views) as connection:
            for batch, partition in book.state.partitions.items():
                loaded = load_partition(connection, "book", batch)
                assert loaded is not None
                assert loaded.runs == partition.runs
        events.dispose()
        views.dispose()


_COUNTED = "SELECT reltuples FROM pg_class WHERE oid = 'request'::regclass"


def test_a_follower_killed_at_any_time_projects_each_event_once(
    long_book: SyntheticBook, stream: Stream, connect: Connect, place: Path, tmp_path: Path
) -> None:
    """A follower that was killed several times ends with the rows of an undisturbed one."""
    stream.append("book", 0, long_book.entries)
    chance, views = random.Random(7), connect("views")
    reached = [0]
    for _ in range(4):
        process = child(place, "follow", 3)
        kill_after(process, chance.randint(1, 40), chance.uniform(0, 0.01))
        reached.append(Follower(stream, views).position("book"))
    assert reached == sorted(set(reached))
    assert reached[-1] < len(long_book.entries)
    Follower(stream, views).catch_up("book")
    assert rows_of(views) == rows_at_once(stream, tmp_path)


def test_two_followers_of_one_database_share_the_work(
    long_book: SyntheticBook, stream: Stream, connect: Connect, place: Path, tmp_path: Path
) -> None:
    """Two processes that update the same views at the same time write the same rows as one process."""
    stream.append("book", 0, long_book.entries)
    both = [child(place, "follow", 2), child(place, "follow", 3)]
    assert [process.wait(PATIENCE) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert rows_of(connect("views")) == rows_at_once(stream, tmp_path)


@pytest.mark.empty_database
def test_views_without_a_version_are_rebuilt(stream: Stream, connect: Connect, tmp_path: Path) -> None:
    """Tables that no program made are dropped, and the views are projected from the first event."""
    book = SyntheticBook(3, 30)
    stream.append("book", 0, book.entries)
    expected = rows_at_once(stream, tmp_path)
    views = connect("views")
    with writing(views) as connection:
        create_schema(connection)
        connection.execute(sa.text("CREATE TABLE run (something TEXT)"))
        connection.execute(sa.text("CREATE TABLE elsewhere (something TEXT)"))
    follower = Follower(stream, views)
    with pytest.raises(ViewsRebuildingError), open_snapshot(ReaderPool(views), "book"):
        pass
    assert follower.catch_up("book") == len(book.entries)
    assert rows_of(views) == expected
    assert not sa.inspect(views).has_table("elsewhere")


def test_views_of_another_version_than_their_place_are_refused(stream: Stream, connect: Connect) -> None:
    """A file that got the name of another version is not touched, because its program may still use it."""
    stream.append("book", 0, SyntheticBook(3, 30).entries)
    views = connect("views")
    Follower(stream, views).catch_up("book")
    before = rows_of(views)
    with writing(views) as connection:
        connection.execute(sa.text("UPDATE views_version SET version = '9999'"))
    with pytest.raises(UnknownFormatError, match="is in format 9999, and this Pathbook reads format 0"):
        Follower(stream, views)
    assert rows_of(views) == before


def test_statistics_are_refreshed_after_views_have_grown(
    long_book: SyntheticBook, stream: Stream, connect: Connect
) -> None:
    """PostgreSQL has counted the rows after a follower has projected the book; on SQLite the statistics are fixed."""
    stream.append("book", 0, long_book.entries)
    views = connect("views")
    Follower(stream, views).catch_up("book")
    with reading(views) as connection:
        if views.dialect.name == "postgresql":
            assert connection.exec_driver_sql(_COUNTED).scalar() == len(long_book.entries)
        else:
            query = "SELECT stat FROM sqlite_stat1 WHERE tbl = 'request'"
            assert connection.exec_driver_sql(query).scalars().all() == ["1000000 1000000 1000 1"]


def test_a_restarted_follower_refreshes_statistics_only_after_the_views_have_doubled(
    long_book: SyntheticBook, stream: Stream, connect: Connect
) -> None:
    """A follower that starts on large views counts rows only after the views have doubled, as counting is slow."""
    views, events = connect("views"), long_book.entries
    if views.dialect.name == "sqlite":
        return  # nothing is ever counted
    stream.append("book", 0, events)
    Follower(stream, views).catch_up("book")
    with writing(views) as connection:
        connection.exec_driver_sql("ALTER TABLE request SET (autovacuum_enabled = false)")
    again = Follower(stream, views)
    counted = []
    for after, last in ((0, len(events) - 1), (len(events) - 1, len(events))):
        stream.append("another book", after, events[after:last])
        again.catch_up("another book")
        with reading(views) as connection:
            counted.append(connection.exec_driver_sql(_COUNTED).scalar())
    assert counted == [len(events), 2 * len(events)]


def test_the_made_tables_are_the_declared_ones(connect: Connect) -> None:
    """New views have the tables, columns and indexes that the program declares, and narrow columns where it says so."""
    views = connect("views")
    open_views(views)
    with reading(views) as connection:
        found = sa.inspect(connection)
        for table in tables.VIEWS.sorted_tables:
            columns = {column["name"]: column["type"] for column in found.get_columns(table.name)}
            assert list(columns) == [column.name for column in table.columns]
            for column in table.columns:
                kept = column.info.get(tables.KEPT_AS, type(column.type))
                assert columns[column.name].as_generic().__class__ is kept, (table.name, column.name)
            names = {index["name"] for index in found.get_indexes(table.name)}
            assert names == {index.name for index in table.indexes}


def test_tables_that_change_have_another_version() -> None:
    """A program finds only tables in a place that it would make itself. Here the last version has its tables' hash."""
    made = [str(CreateTable(table)) for table in tables.as_kept().sorted_tables]
    made += sorted(str(CreateIndex(index)) for table in tables.VIEWS.sorted_tables for index in table.indexes)
    made += [str(CreateTable(table)) for table in CUSTODY.sorted_tables]
    digest = hashlib.sha256("".join(made).encode()).hexdigest()[:16]
    assert (VIEWS_VERSION, digest) == ("0006", "2422e9858eaeed81")


def test_a_follower_projects_events_of_this_process_and_of_others(stream: Stream, connect: Connect) -> None:
    """A caller that waits for a position is notified when the views reach it, whichever process appended it."""
    book = SyntheticBook(4, 10)
    follower = Follower(stream, connect("views"))
    first, second = follower.reached("book", 3), follower.reached("book", 5)
    follower.start()
    stream.append("book", 0, book.entries[:3])
    assert first.result(PATIENCE) == 3
    assert not second.done()
    Stream(connect("events")).append("book", 3, book.entries[3:5])
    assert second.result(PATIENCE) == 5
    assert follower.reached("book", 5).done()
    third = follower.reached("book", 6)
    follower.close()
    with pytest.raises(CancelledError):
        third.result(PATIENCE)
    assert follower.reached("book", 6).cancelled()


def test_an_unreadable_book_does_not_stop_the_others(stream: Stream, connect: Connect) -> None:
    """A caller that waits for an unreadable book gets the error, and the other books are still projected."""
    stream.append("broken", 0, [("Nothing.v1", b"nothing")])
    stream.append("book", 0, SyntheticBook(5, 10).entries)
    follower = Follower(stream, connect("views"))
    with pytest.raises(MalformedEventError):
        follower.catch_up("broken")
    stuck, fine = follower.reached("broken", 1), follower.reached("book", 5)
    with capture_logs() as logs:
        follower.start()
        assert isinstance(stuck.exception(PATIENCE), MalformedEventError)
        assert fine.result(PATIENCE) > 5
        follower.close()
    assert [line["book"] for line in logs] == ["broken"]
    assert follower.position("broken") == 0


def test_a_cancelled_waiter_is_forgotten(stream: Stream, connect: Connect) -> None:
    """A cancelled future gets no result, and does not stay in memory."""
    follower = Follower(stream, connect("views"))
    waiting = [follower.reached("book", 100) for _ in range(3)]
    assert all(future.cancel() for future in waiting)
    stream.append("book", 0, SyntheticBook(6, 0).entries)
    follower.catch_up("book")
    assert follower._awaited._waiting == {}


def test_the_run_cache_keeps_the_batches_used_last(stream: Stream, connect: Connect) -> None:
    """The cache evicts the least recently used batch, and never returns runs of another position."""
    views = connect("views")
    book = SyntheticBook(8, 60)
    stream.append("book", 0, book.entries)
    position = Follower(stream, views).catch_up("book")
    whole = {batch: UnitRange(batch, 0, SIZES[batch - 1] - 1) for batch in (1, 2, 3)}
    sizes = {batch: len(partition.runs) for batch, partition in book.state.partitions.items()}
    partitions = RunCache(limit=sizes[1] + sizes[2])
    with reading(views) as connection:
        taken = partitions.take(
            connection, "book", position, [whole[3], *whole.values(), UnitRange(999, 0, 5)]
        )
        assert {batch: found.runs for batch, found in taken.items()} == {
            batch: book.state.partitions[batch].runs for batch in whole
        }
        partitions.give_back("book", position, {batch: taken[batch] for batch in (3, 1, 2)})
        assert not partitions.has_all("book", whole.values())
        again = partitions.take(connection, "book", position, whole.values())
        assert [again[batch] is taken[batch] for batch in (1, 2, 3)] == [True, True, False]
        partitions.give_back("book", position, again)
        later = partitions.take(connection, "book", position + 1, [whole[3]])
        assert later[3] is not again[3]


def test_the_run_cache_loads_only_the_runs_of_ranges(stream: Stream, connect: Connect) -> None:
    """Runs are loaded by the ranges that touch them, and those that are cached are not loaded again."""
    views = connect("views")
    book = SyntheticBook(8, 200)
    stream.append("book", 0, book.entries)
    position = Follower(stream, views).catch_up("book")
    runs = book.state.partitions[3].runs
    assert len(runs) > 6
    first, middle, last = runs[0], runs[3], runs[-1]
    partitions = RunCache()
    with reading(views) as connection:
        within = UnitRange(3, middle.last, middle.last)
        taken = partitions.take(connection, "book", position, [within, UnitRange(3, first.first, first.last)])
        assert taken[3].runs == [first, middle]
        partitions.give_back("book", position, taken)
        assert partitions.has_all("book", [within])
        assert not partitions.has_all("book", [UnitRange(3, middle.first, middle.last + 1)])
        again = partitions.take(connection, "book", position, [UnitRange(3, middle.first, last.last)])
        assert again[3].runs == [first, *runs[3:]]
        assert again[3].runs[1] is taken[3].runs[1]
