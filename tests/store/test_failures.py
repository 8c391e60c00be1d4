"""Trouble with a database is told apart from bugs: away, busy, full or read-only, on both kinds of database."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from eventsourcing.persistence import PersistenceError
from sqlalchemy import Engine
from structlog.testing import capture_logs

from pathbook.ledger.store.database.engine import Purpose, open_engine
from pathbook.ledger.store.database.failures import OutageLog, StoreTrouble, is_lost, trouble_of
from pathbook.ledger.store.log.stream import Stream, is_passing, persistence_errors
from tests.postgres import execute, kill_backends

Connect = Callable[[Purpose], Engine]
ENTRY = [("topic", b"1")]
POSTGRESQL = pytest.mark.parametrize("place", ["postgresql"], indirect=True)


def error_of(engine: Engine, *statements: str) -> BaseException:
    """Return the error that statements in one transaction end with."""

    def execute_all() -> None:
        with persistence_errors(), engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    with pytest.raises(PersistenceError) as caught:
        execute_all()
    assert is_passing(caught.value) == (trouble_of(caught.value) is not None)
    return caught.value


@pytest.mark.parametrize(
    ("pragma", "trouble"),
    [("query_only = on", StoreTrouble.READ_ONLY), ("max_page_count = 1", StoreTrouble.FULL)],
)
def test_sqlite_that_takes_no_writes_says_why(tmp_path: Path, pragma: str, trouble: StoreTrouble) -> None:
    """A file that cannot be written, and one that has no room, are told apart."""
    engine = open_engine(tmp_path / "events.sqlite", purpose="events")
    stream = Stream(engine)
    stream.append("masks", 0, ENTRY)

    @sa.event.listens_for(engine, "checkout")
    def _limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    with pytest.raises(PersistenceError) as caught:
        stream.append("masks", 1, [("topic", b"1" * 100_000)])
    assert trouble_of(caught.value) is trouble
    assert not is_lost(caught.value)
    assert stream.head("masks") == 1
    stream.close()
    engine.dispose()


def test_a_locked_file_is_busy(tmp_path: Path) -> None:
    """A writer whose turn does not come in time meets a busy database."""
    path = tmp_path / "events.sqlite"
    engine = open_engine(path, purpose="events")
    stream = Stream(engine)
    sa.event.listen(engine, "checkout", lambda connection, *_: connection.execute("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(PersistenceError) as caught:
        stream.append("masks", 0, ENTRY)
    assert trouble_of(caught.value) is StoreTrouble.BUSY
    other.close()
    stream.close()
    engine.dispose()


@POSTGRESQL
@pytest.mark.parametrize(
    ("statements", "trouble"),
    [
        (["SET TRANSACTION READ ONLY", "CREATE TABLE t (x int)"], StoreTrouble.READ_ONLY),
        (["SET LOCAL statement_timeout = 1", "SELECT pg_sleep(60)"], StoreTrouble.BUSY),
        (["SELECT pg_terminate_backend(pg_backend_pid())"], StoreTrouble.AWAY),
        (["DO $$ BEGIN RAISE 'x' USING ERRCODE = '53100'; END $$"], StoreTrouble.FULL),
        (["DO $$ BEGIN RAISE 'x' USING ERRCODE = '53300'; END $$"], StoreTrouble.BUSY),
        (["DO $$ BEGIN RAISE 'x' USING ERRCODE = '40001'; END $$"], StoreTrouble.BUSY),
        (["DO $$ BEGIN RAISE 'x' USING ERRCODE = '55P03'; END $$"], StoreTrouble.BUSY),
        (["DO $$ BEGIN RAISE 'x' USING ERRCODE = '57P03'; END $$"], StoreTrouble.AWAY),
        (["DO $$ BEGIN RAISE 'x' USING ERRCODE = '08006'; END $$"], StoreTrouble.AWAY),
        (["DO $$ BEGIN RAISE 'x' USING ERRCODE = 'XX000'; END $$"], None),
    ],
    ids=lambda item: item[-1][-40:] if isinstance(item, list) else None,
)
def test_postgresql_says_what_is_wrong_by_its_code(
    connect: Connect, statements: list[str], trouble: StoreTrouble | None
) -> None:
    """The code of an error decides, in whatever language its text is."""
    assert trouble_of(error_of(connect("events"), *statements)) is trouble


@pytest.mark.parametrize("statement", ["SELECT 1 + WHERE", "SELECT 1 +"])
def test_a_bug_is_no_trouble(connect: Connect, statement: str) -> None:
    """A statement that is wrong will not get right by a retry, on either kind of database."""
    assert trouble_of(error_of(connect("events"), statement)) is None
    assert trouble_of(ValueError("x")) is None
    assert trouble_of(None) is None


@POSTGRESQL
def test_a_database_that_refuses_connections_is_away(connect: Connect) -> None:
    """A database that takes no connections cannot be reached. That is no lost connection, so no retry is immediate."""
    engine = connect("events")
    name = engine.url.database
    execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    refused = error_of(engine, "SELECT 1")
    assert trouble_of(refused) is StoreTrouble.AWAY
    assert not is_lost(refused)
    execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@POSTGRESQL
def test_a_connection_that_was_lost_in_use_is_known_as_lost(connect: Connect) -> None:
    """What lost its connection on the way may be tried again at once."""
    stream = Stream(connect("events"))
    lost = error_of(stream.engine, "SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_lost(lost)
    kill_backends(str(stream.engine.url.database))
    stream.append("masks", 0, ENTRY)  # what idled is replaced before its first statement
    assert stream.head("masks") == 1


def test_an_outage_is_logged_once_and_its_end_once() -> None:
    """However many threads meet it, the log has one line for it, and one for its end."""
    outages = OutageLog()
    away, bug = sqlite3.OperationalError("unable to open"), ValueError("x")
    away.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    with capture_logs() as logs:
        outages.over()
        assert [outages.tell(away) for _ in range(100)] == [True] * 100
        assert not outages.tell(bug)
        outages.over()
        outages.over()
        assert outages.tell(away)
    assert [(line["event"], line.get("trouble")) for line in logs] == [
        ("the database cannot be used; trying again", "no connection"),
        ("the database works again", None),
        ("the database cannot be used; trying again", "no connection"),
    ]
