"""ReaderPool: one moment, errors by their names, and connections that are kept, let go of, and got anew."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from eventsourcing.persistence import PersistenceError
from sqlalchemy import Engine, exc

from pathbook.ledger.store.database.engine import Purpose
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import EVENT, Stream

Connect = Callable[[Purpose], Engine]

COUNT = sa.select(sa.func.count()).select_from(EVENT)
AFTER = sa.select(EVENT.c.position).where(EVENT.c.position > sa.bindparam("after")).order_by(EVENT.c.position)


def log(connect: Connect, length: int) -> Engine:
    """Make a log of one book."""
    events = connect("events")
    Stream(events).append("masks", 0, [("t", b"1")] * length)
    return events


def test_one_moment_sees_nothing_of_what_is_written_in_it(connect: Connect) -> None:
    """What is written after the first lookup is seen only in the next moment."""
    events = log(connect, 2)
    readings = ReaderPool(events)
    for seen in (2, 3):
        with readings.consistent() as reading:
            assert reading.ask(COUNT, {}) == [(seen,)]
            Stream(connect("events")).append("masks", seen, [("t", b"1")])
            assert reading.ask(COUNT, {}) == [(seen,)]
            assert reading.ask(AFTER, {"after": seen - 1}) == [(seen,)]
    assert readings.ask(COUNT, {}) == [(4,)]


def test_what_is_asked_alone_is_asked_of_a_new_moment(connect: Connect) -> None:
    """A connection that is kept holds no moment: each single lookup sees what was written before it."""
    readings = ReaderPool(log(connect, 2))
    for seen in (2, 3, 4):
        assert readings.ask(COUNT, {}) == [(seen,)]
        Stream(connect("events")).append("masks", seen, [("t", b"1")])


def test_a_moment_that_fails_leaves_none_behind(connect: Connect) -> None:
    """Whatever is raised within a moment ends it, and the next begins anew."""
    readings = ReaderPool(log(connect, 2))

    def fail(seen: int) -> None:
        with readings.consistent() as reading:
            assert reading.ask(COUNT, {}) == [(seen,)]
            raise ZeroDivisionError

    for seen in (2, 3):
        with pytest.raises(ZeroDivisionError):
            fail(seen)
        Stream(connect("events")).append("masks", seen, [("t", b"1")])
    assert readings.ask(COUNT, {}) == [(4,)]


def test_what_the_database_refuses_is_named_as_elsewhere(connect: Connect) -> None:
    """An error of the driver is raised as SQLAlchemy names it, and by a stream as eventsourcing does."""
    events = log(connect, 1)
    readings = ReaderPool(events)
    with pytest.raises(exc.DBAPIError), readings.consistent() as reading:
        reading.ask(sa.select(sa.table("nothing", sa.column("x")).c.x), {})
    assert readings.ask(COUNT, {}) == [(1,)]
    stream = Stream(events)
    with events.begin() as connection:
        EVENT.drop(connection)
    with pytest.raises(PersistenceError):
        stream.at("masks", [1])


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_lost_connections_are_got_anew(connect: Connect) -> None:
    """Where a server ended all connections, one reading is told so and the next goes on."""
    events = log(connect, 1)
    readings = ReaderPool(events)
    start = threading.Barrier(4)

    def read(_: int) -> None:
        with readings.consistent() as reading:
            start.wait()
            assert reading.ask(COUNT, {}) == [(1,)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read, range(4)))
    with connect("events").begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(exc.OperationalError):
        readings.ask(COUNT, {})
    assert readings.ask(COUNT, {}) == [(1,)]


def test_many_threads_read_at_once(connect: Connect) -> None:
    """Each thread has a reading of its own, and all are closed with the engine."""
    events = log(connect, 50)
    readings = ReaderPool(events)

    def read(after: int) -> int:
        with readings.consistent() as reading:
            return len(reading.ask(AFTER, {"after": after})) + len(readings.ask(AFTER, {"after": after}))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read, list(range(50)) * 8)) == [2 * (50 - n) for n in range(50)] * 8
    kept = list(readings._idle)
    assert 0 < len(kept) <= 16
    events.dispose()
    assert not readings._idle
    for reading in kept:
        with pytest.raises(Exception, match="closed"):
            reading.ask(COUNT, {})
