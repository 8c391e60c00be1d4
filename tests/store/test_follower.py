"""Following: however the events come, and whatever interrupts it, the views come out the same."""

import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.types import TypeEngine
from structlog.testing import capture_logs

from pathbook.ledger.codec import MalformedEventError
from pathbook.ledger.store.database.engine import (
    UnknownFormatError,
    create_schema,
    open_engine,
    reading,
    writing,
)
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import tables
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.run_cache import RunCache, load_partition
from pathbook.ledger.store.views.snapshot import ViewsRebuildingError, open_snapshot
from pathbook.ledger.store.views.tracking import TRACKING
from pathbook.ledger.store.views.writer import MIGRATIONS, open_views
from tests.projections.synthetic import SyntheticBook
from tests.store.followed import Connect, child, followed, kill_after, rows_of

PATIENCE = 60.0
"""How long (seconds) a test waits for anything before it fails."""


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(0, 100),
    sizes=st.lists(st.integers(1, 20), max_size=12),
    events_at_once=st.integers(1, 9),
    limit=st.sampled_from([0, 4, 100_000]),
)
def test_views_do_not_depend_on_how_the_events_came(
    seed: int, length: int, sizes: Sequence[int], events_at_once: int, limit: int
) -> None:
    """Views carried after every few events are, table by table and row by row, those made in one go."""
    book = SyntheticBook(seed, length)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        events = open_engine(directory / "events.sqlite", purpose="events")
        stream = Stream(events)
        views = open_engine(directory / "views.sqlite", purpose="views")
        follower = Follower(stream, views, events_at_once)
        follower._partitions = RunCache(limit)
        written = 0
        for size in [*sizes, len(book.entries)]:
            entries = book.entries[written : written + size]
            stream.append("book", written, entries)
            written += len(entries)
            assert follower.catch_up("book") == written
        assert rows_of(views) == followed(stream, directory)
        with reading(views) as connection:
            for batch, partition in book.state.partitions.items():
                loaded = load_partition(connection, "book", batch)
                assert loaded is not None
                assert loaded.runs == partition.runs
        events.dispose()
        views.dispose()


_COUNTED = "SELECT reltuples FROM pg_class WHERE oid = 'request'::regclass"


def test_a_follower_killed_at_any_moment_neither_loses_nor_repeats(
    long_book: SyntheticBook, stream: Stream, connect: Connect, place: Path, tmp_path: Path
) -> None:
    """A follower killed again and again, and then left alone, has written the rows of one never disturbed."""
    stream.append("book", 0, long_book.entries)
    moments, views = random.Random(7), connect("views")
    stood = [0]
    for _ in range(4):
        process = child(place, "follow", 3)
        kill_after(process, moments.randint(1, 40), moments.uniform(0, 0.01))
        stood.append(Follower(stream, views).position("book"))
    assert stood == sorted(set(stood))
    assert stood[-1] < len(long_book.entries)
    Follower(stream, views).catch_up("book")
    assert rows_of(views) == followed(stream, tmp_path)


def test_two_followers_of_one_file_share_the_work(
    long_book: SyntheticBook, stream: Stream, connect: Connect, place: Path, tmp_path: Path
) -> None:
    """Two processes that carry the same views at once write the rows that one writes alone."""
    stream.append("book", 0, long_book.entries)
    both = [child(place, "follow", 2), child(place, "follow", 3)]
    assert [process.wait(PATIENCE) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert rows_of(connect("views")) == followed(stream, tmp_path)


def test_views_from_before_versions_were_kept_are_made_anew(
    stream: Stream, connect: Connect, tmp_path: Path
) -> None:
    """Tables that no step made are dropped, and the views are carried from the beginning."""
    book = SyntheticBook(3, 30)
    stream.append("book", 0, book.entries)
    expected = followed(stream, tmp_path)
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


def test_views_of_a_newer_version_are_refused_and_left_alone(stream: Stream, connect: Connect) -> None:
    """A program does not touch views that a newer one made: that one may still be at work."""
    stream.append("book", 0, SyntheticBook(3, 30).entries)
    views = connect("views")
    Follower(stream, views).catch_up("book")
    before = rows_of(views)
    with writing(views) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnknownFormatError, match="is in format 9999, and this Pathbook reads format 0"):
        Follower(stream, views)
    assert rows_of(views) == before


def kept_otherwise(
    _context: object,
    _found: object,
    column: sa.Column[object],
    found_type: TypeEngine[object],
    _type: object,
) -> bool | None:
    """Tell alembic whether a column that is narrower than it may be asked for is not kept so; None: it may judge."""
    kept = column.info.get(tables.KEPT_AS)
    return None if kept is None else not isinstance(found_type, kept) or isinstance(found_type, sa.BigInteger)


def test_views_from_before_requests_were_found_by_a_hash_are_made_anew(
    stream: Stream, connect: Connect, tmp_path: Path
) -> None:
    """The second step of their tables empties them: the next follower projects every book from its beginning."""
    book = SyntheticBook(12, 30)
    stream.append("book", 0, book.entries)
    views = connect("views")
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    with writing(views) as connection:
        create_schema(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        TRACKING.create(connection)
        connection.execute(TRACKING.insert().values(application_name="book", notification_id=30))
        connection.execute(sa.text("INSERT INTO request VALUES ('book', 'a request', 30)"))
        connection.execute(sa.text("INSERT INTO party VALUES ('book', 'nobody', 1, 30)"))
    assert Follower(stream, views, projects=False).position("book") == 0
    with pytest.raises(ViewsRebuildingError), open_snapshot(ReaderPool(views), "book"):
        pass
    Follower(stream, views).catch_up("book")
    assert rows_of(views) == followed(stream, tmp_path, "book")
    open_views(views)  # no step is taken twice


def test_postgresql_is_told_to_look_at_views_that_have_grown(
    long_book: SyntheticBook, stream: Stream, connect: Connect
) -> None:
    """It has counted the rows when a follower has carried a thousand events; SQLite was told for good."""
    stream.append("book", 0, long_book.entries)
    views = connect("views")
    Follower(stream, views).catch_up("book")
    with reading(views) as connection:
        if views.dialect.name == "postgresql":
            assert connection.exec_driver_sql(_COUNTED).scalar() == len(long_book.entries)
        else:
            told = "SELECT stat FROM sqlite_stat1 WHERE tbl = 'request'"
            assert connection.exec_driver_sql(told).scalars().all() == ["1000000 1000000 1000 1"]


def test_who_begins_to_follow_large_views_has_nothing_counted_before_they_have_doubled(
    long_book: SyntheticBook, stream: Stream, connect: Connect
) -> None:
    """Counting takes a while in large views, and a follower that was started again would do it time and again."""
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


def test_the_steps_lead_to_the_tables_there_are(connect: Connect) -> None:
    """Views that were migrated step by step have the tables and columns the program speaks of; the last is theirs."""
    views = connect("views")
    open_views(views)
    with reading(views) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": kept_otherwise})
        assert compare_metadata(context, tables.VIEWS) == []
        assert context.get_current_revision() == tables.VIEWS_VERSION
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    assert ScriptDirectory.from_config(config).get_heads() == [tables.VIEWS_VERSION]


def test_a_thread_follows_what_this_process_and_others_append(stream: Stream, connect: Connect) -> None:
    """Who waits for a position is told when the views stand there, whoever appended it."""
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


def test_one_book_that_cannot_be_read_stops_no_other(stream: Stream, connect: Connect) -> None:
    """Who waits for a book whose log holds no event learns why; the others are carried on."""
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


def test_whoever_no_longer_waits_is_forgotten(stream: Stream, connect: Connect) -> None:
    """A future that was cancelled is not told, and does not stay in memory."""
    follower = Follower(stream, connect("views"))
    waiting = [follower.reached("book", 100) for _ in range(3)]
    assert all(future.cancel() for future in waiting)
    stream.append("book", 0, SyntheticBook(6, 0).entries)
    follower.catch_up("book")
    assert follower._awaited._waiting == {}


def test_partitions_at_hand_are_those_used_last(stream: Stream, connect: Connect) -> None:
    """Beyond the limit what was not used for longest is let go, and what is of another position is not handed out."""
    views = connect("views")
    book = SyntheticBook(8, 60)
    stream.append("book", 0, book.entries)
    position = Follower(stream, views).catch_up("book")
    sizes = {batch: len(partition.runs) for batch, partition in book.state.partitions.items()}
    partitions = RunCache(limit=sizes[1] + sizes[2])
    with reading(views) as connection:
        taken = partitions.take(connection, "book", position, [3, 1, 2, 999])
        assert taken.keys() == {1, 2, 3}
        partitions.give_back("book", position, {batch: taken[batch] for batch in (3, 1, 2)})
        again = partitions.take(connection, "book", position, [1, 2, 3])
        assert [again[batch] is taken[batch] for batch in (1, 2, 3)] == [True, True, False]
        partitions.give_back("book", position, again)
        later = partitions.take(connection, "book", position + 1, [3])
        assert later[3] is not again[3]
