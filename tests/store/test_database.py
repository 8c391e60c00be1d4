"""A database: writers take turns, readers see one moment, and a format that is not known is left alone."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from pathbook.ledger.store.database.engine import (
    BULK_CACHE_KIB,
    SCHEMAS,
    Purpose,
    UnknownFormatError,
    create_schema,
    create_tables,
    open_bulk_engine,
    open_engine,
    reading,
    url_of,
    writing,
)
from pathbook.ledger.store.log.stream import Stream

Connect = Callable[[Purpose], Engine]


def test_a_newer_format_is_refused(connect: Connect) -> None:
    """A log in a format this program does not know is named as that, and not touched."""
    engine = connect("events")
    create_tables(engine, sqlalchemy.MetaData(), format_number=2)
    with pytest.raises(
        UnknownFormatError, match="is in format 2, and this Pathbook reads format 1"
    ) as refused:
        Stream(engine)
    assert (refused.value.found, refused.value.known) == (2, 1)
    with reading(engine) as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []


@pytest.mark.parametrize("said", ["by us", "by its URL", "by the environment"])
def test_a_database_that_does_not_answer_is_not_waited_for_long(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody listens and says nothing, as behind a firewall, opening ends with an error."""
    told = "?connect_timeout=2" if said == "by its URL" else ""
    if said == "by us":
        monkeypatch.setattr("pathbook.ledger.store.database.engine.CONNECT_TIMEOUT_S", 2)
    elif said == "by the environment":
        monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = open_engine(
            f"postgresql+psycopg://nobody@127.0.0.1:{silent.getsockname()[1]}/none{told}", purpose="events"
        )
        with pytest.raises(sqlalchemy.exc.OperationalError, match="timeout"), reading(engine):
            pass
    assert time.monotonic() - began < 8


def test_many_may_make_the_same_log(tmp_path: Path) -> None:
    """A new log opened by many at once is made once, and none of them is told that it is locked."""
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


def test_a_reading_transaction_sees_one_moment(connect: Connect) -> None:
    """What others write after the first read of a transaction is not seen in it, only in the next."""
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
    """A writer that comes while another is at work waits its turn, and neither is told that it is locked."""
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


def test_a_failed_writing_leaves_nothing(connect: Connect) -> None:
    """An exception inside a writing transaction takes back all that was written in it, tables too."""
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
    """Every connection writes ahead; the log's wait for the disk at each commit, the views' do not."""
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
    """What is not an SQLite file is refused in words."""
    with pytest.raises(ValueError, match="does not open mysql"):
        open_engine("mysql://host/book", purpose="events")
    with pytest.raises(ValueError, match="needs a database in a file"):
        Stream(open_engine("sqlite:///:memory:", purpose="events"))


def test_an_engine_for_much_is_of_the_same_database(connect: Connect) -> None:
    """Whoever opens a database again, to write much or in another process, does so with the options of its URL."""
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


def test_who_writes_much_keeps_much_of_a_file_at_hand(tmp_path: Path) -> None:
    """SQLite is told so of their connections, and of no other."""
    views = open_engine(tmp_path / "views.sqlite", purpose="views")
    kept = []
    for engine in (views, open_bulk_engine(views)):
        with reading(engine) as connection:
            kept.append(connection.exec_driver_sql("PRAGMA cache_size").scalar())
    assert kept[0] != kept[1] == -BULK_CACHE_KIB
    views.dispose()
