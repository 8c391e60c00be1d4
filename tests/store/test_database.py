"""A database: writers take turns, a reading transaction sees one snapshot, and an unknown format is not touched."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from pathbook.ledger.store.database.damage import SCHEMAS
from pathbook.ledger.store.database.engine import (
    BULK_CACHE_KIB,
    Purpose,
    create_schema,
    open_bulk_engine,
    open_engine,
    reading,
    url_of,
    writing,
)
from pathbook.ledger.store.database.format import UnknownFormatError, create_tables
from pathbook.ledger.store.log.stream import FORMAT, Stream

Connect = Callable[[Purpose], Engine]


@pytest.mark.empty_database
def test_a_newer_format_is_refused(connect: Connect) -> None:
    """A log in an unknown format is refused by its number, and not touched."""
    engine = connect("events")
    create_tables(engine, sqlalchemy.MetaData(), format_number=FORMAT + 1)
    with pytest.raises(
        UnknownFormatError, match=f"is in format {FORMAT + 1}, and this Pathbook reads format {FORMAT}"
    ) as refused:
        Stream(engine)
    assert (refused.value.found, refused.value.known) == (FORMAT + 1, FORMAT)
    with reading(engine) as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []


@pytest.mark.parametrize("source", ["default", "URL", "environment"])
def test_connecting_to_a_silent_database_times_out(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a database that accepts connections but never answers ends with a timeout."""
    query = "?connect_timeout=2" if source == "URL" else ""
    if source == "default":
        monkeypatch.setattr("pathbook.ledger.store.database.engine.CONNECT_TIMEOUT_S", 2)
    elif source == "environment":
        monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = open_engine(
            f"postgresql+psycopg://user@127.0.0.1:{silent.getsockname()[1]}/none{query}", purpose="events"
        )
        with pytest.raises(sqlalchemy.exc.OperationalError, match="timeout"), reading(engine):
            pass
    assert time.monotonic() - began < 8


def test_many_may_create_the_same_log(tmp_path: Path) -> None:
    """A new log that many open at once is created once, and none of them gets an error."""
    start = threading.Barrier(6)
    for turn in range(20):

        def make(who: int, path: Path = tmp_path / f"{turn}.sqlite") -> int:
            engine = open_engine(path, purpose="events")
            start.wait()
            stream = Stream(engine)
            stream.append(str(who), 0, [("t", b"1")])
            head = stream.head(str(who))
            engine.dispose()
            return head

        with ThreadPoolExecutor(6) as threads:
            assert list(threads.map(make, range(6))) == [1] * 6


def test_a_reading_transaction_sees_one_snapshot(connect: Connect) -> None:
    """Writes after the first read of a transaction are visible only in the next transaction."""
    engine = connect("events")
    stream = Stream(engine)
    stream.append("masks", 0, [("t", b"1")])
    count = sqlalchemy.text("SELECT count(*) FROM event")
    with reading(engine) as connection:
        assert connection.execute(count).scalar() == 1
        stream.append("masks", 1, [("t", b"2")])
        Stream(connect("events")).append("masks", 2, [("t", b"3")])
        assert connection.execute(count).scalar() == 1
    with reading(engine) as connection:
        assert connection.execute(count).scalar() == 3


def test_writers_take_turns(connect: Connect) -> None:
    """A writing transaction waits for the one before it, and neither gets an error."""
    engines = [connect("views"), connect("views")]
    with writing(engines[0]) as connection:
        create_schema(connection)
        connection.exec_driver_sql("CREATE TABLE counter (value BIGINT)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")

    def add(who: int) -> None:
        for _ in range(50):
            with writing(engines[who % 2]) as connection:
                value = connection.exec_driver_sql("SELECT value FROM counter").scalar_one()
                connection.exec_driver_sql(f"UPDATE counter SET value = {value + 1}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(4)))
    with reading(engines[0]) as connection:
        assert connection.exec_driver_sql("SELECT value FROM counter").scalar_one() == 200


@pytest.mark.empty_database
def test_a_failed_writing_transaction_leaves_nothing(connect: Connect) -> None:
    """An exception inside a writing transaction rolls back all its writes, including new tables."""
    engine = connect("views")
    with writing(engine) as connection:
        create_schema(connection)

    def fail() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE counter (value BIGINT)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with reading(engine) as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []


def test_the_log_is_flushed_and_the_views_need_not_be(tmp_path: Path) -> None:
    """All SQLite connections use the write-ahead log, and only those of the log sync each commit to disk."""
    for purpose, level in (("events", 2), ("views", 1)):
        engine = open_engine(
            tmp_path / "a ?#% b.sqlite", purpose="events" if purpose == "events" else "views"
        )
        with reading(engine) as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
        engine.dispose()
    assert (tmp_path / "a ?#% b.sqlite").exists()


def test_a_database_of_another_kind_is_refused() -> None:
    """A database of an unknown kind, or an SQLite database in memory, is refused with a reason."""
    with pytest.raises(ValueError, match="does not open mysql"):
        open_engine("mysql://host/book", purpose="events")
    with pytest.raises(ValueError, match="needs a database in a file"):
        Stream(open_engine("sqlite:///:memory:", purpose="events"))


def test_a_bulk_engine_opens_the_same_database(connect: Connect) -> None:
    """An engine for bulk writes, or one of another process, keeps the options of the first engine's URL."""
    views = connect("views")
    url = views.url
    if views.dialect.name == "postgresql":
        url = url.update_query_dict({"options": "-c statement_timeout=1234"})
    first = open_engine(url.render_as_string(hide_password=False), purpose="views")
    for engine in (open_bulk_engine(first), open_engine(url_of(first), purpose="views")):
        assert (engine.url.database, engine.url.port) == (views.url.database, views.url.port)
        if views.dialect.name == "postgresql":
            with reading(engine) as connection:
                assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "1234ms"
                assert connection.exec_driver_sql("SHOW search_path").scalar() == SCHEMAS["views"]
        engine.dispose()
    first.dispose()


def test_a_connection_that_returns_after_the_end_of_its_engine_is_closed(connect: Connect) -> None:
    """A thread may still read when the books are closed. Its connection is closed then, as all others were before."""
    engine = connect("views")
    with reading(engine) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        engine.dispose()
        connection.exec_driver_sql("SELECT 1")
    with pytest.raises(engine.dialect.loaded_dbapi.Error, match="closed"):
        driver.cursor().execute("SELECT 1")
    with reading(engine) as connection:  # an engine that goes on has new connections, which it keeps
        again = connection.connection.driver_connection
    with reading(engine) as connection:
        assert connection.connection.driver_connection is again


def test_postgresql_compiles_no_statement(connect: Connect) -> None:
    """A scan is planned as if it took hours, so that keys are searched instead. It is not compiled for that."""
    views = connect("views")
    if views.dialect.name == "sqlite":
        return  # it compiles nothing
    bulk = open_bulk_engine(views)
    for engine in (connect("events"), views, bulk):
        with reading(engine) as connection:
            plan = connection.exec_driver_sql("EXPLAIN SELECT * FROM pg_class").scalars().all()
            assert "Seq Scan" in plan[0]
            assert not any(line.startswith("JIT") for line in plan)
    bulk.dispose()


def test_a_bulk_engine_has_a_large_cache(tmp_path: Path) -> None:
    """Only the SQLite connections of a bulk engine get the large page cache."""
    views = open_engine(tmp_path / "views.sqlite", purpose="views")
    sizes = []
    for engine in (views, open_bulk_engine(views)):
        with reading(engine) as connection:
            sizes.append(connection.exec_driver_sql("PRAGMA cache_size").scalar())
    assert sizes[0] != sizes[1] == -BULK_CACHE_KIB
    views.dispose()
