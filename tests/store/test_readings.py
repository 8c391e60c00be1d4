"""The reader pool: snapshots, errors by their names, and connections that are kept, closed and replaced."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, exc

from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import Purpose, open_engine
from pathbook.ledger.store.database.failures import StoreTrouble, trouble_of
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.log.stream import Stream
from tests.postgres import kill_backends

Connect = Callable[[Purpose], Engine]

COUNT = sa.select(sa.func.count()).select_from(EVENT)
AFTER = sa.select(EVENT.c.position).where(EVENT.c.position > sa.bindparam("after")).order_by(EVENT.c.position)


def log(connect: Connect, length: int) -> Engine:
    """Return a database with a log of one book."""
    events = connect("events")
    Stream(events).append("masks", 0, [("t", b"1")] * length)
    return events


def test_a_consistent_reader_sees_one_snapshot(connect: Connect) -> None:
    """Writes after the first lookup are visible only to the next consistent reader."""
    events = log(connect, 2)
    pool = ReaderPool(events)
    for seen in (2, 3):
        with pool.consistent() as reading:
            assert reading.ask(COUNT, {}) == [(seen,)]
            Stream(connect("events")).append("masks", seen, [("t", b"1")])
            assert reading.ask(COUNT, {}) == [(seen,)]
            assert reading.ask(AFTER, {"after": seen - 1}) == [(seen,)]
    assert pool.ask(COUNT, {}) == [(4,)]


def test_a_single_lookup_sees_the_latest_state(connect: Connect) -> None:
    """An idle connection holds no snapshot, so each single lookup sees all writes before it."""
    pool = ReaderPool(log(connect, 2))
    for seen in (2, 3, 4):
        assert pool.ask(COUNT, {}) == [(seen,)]
        Stream(connect("events")).append("masks", seen, [("t", b"1")])


def test_an_exception_ends_a_snapshot(connect: Connect) -> None:
    """An exception ends the snapshot of a consistent reader, and the next reader gets a new one."""
    pool = ReaderPool(log(connect, 2))

    def fail(seen: int) -> None:
        with pool.consistent() as reading:
            assert reading.ask(COUNT, {}) == [(seen,)]
            raise ZeroDivisionError

    for seen in (2, 3):
        with pytest.raises(ZeroDivisionError):
            fail(seen)
        Stream(connect("events")).append("masks", seen, [("t", b"1")])
    assert pool.ask(COUNT, {}) == [(4,)]


def test_driver_errors_have_the_usual_names(connect: Connect) -> None:
    """A driver error is raised as SQLAlchemy's exception. A missing table is damage, which is told by name."""
    events = log(connect, 1)
    pool = ReaderPool(events)
    with pytest.raises(exc.DBAPIError), pool.consistent() as reading:
        reading.ask(sa.select(sa.func.nothing()), {})
    assert pool.ask(COUNT, {}) == [(1,)]
    stream = Stream(events)
    with events.begin() as connection:
        EVENT.drop(connection)
    with pytest.raises(DatabaseDamagedError, match=r"is damaged: .* Restore the log from a backup"):
        stream.at("masks", [1])


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_lost_connections_are_replaced(connect: Connect) -> None:
    """After the server ends all connections, lookups and snapshots succeed on fresh ones at once."""
    events = log(connect, 1)
    pool = ReaderPool(events)
    start = threading.Barrier(4)

    def read(_: int) -> None:
        with pool.consistent() as reading:
            start.wait()
            assert reading.ask(COUNT, {}) == [(1,)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read, range(4)))
    name = str(events.url.database)
    for _ in range(2):
        kill_backends(name)
        assert pool.ask(COUNT, {}) == [(1,)]
        kill_backends(name)
        with pool.consistent() as reading:
            assert reading.ask(COUNT, {}) == [(1,)]


def test_many_threads_read_at_once(connect: Connect) -> None:
    """Each thread gets a reader of its own, and all readers are closed with the engine."""
    events = log(connect, 50)
    pool = ReaderPool(events)

    def read(after: int) -> int:
        with pool.consistent() as reading:
            return len(reading.ask(AFTER, {"after": after})) + len(pool.ask(AFTER, {"after": after}))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read, list(range(50)) * 8)) == [2 * (50 - n) for n in range(50)] * 8
    idle = list(pool._idle)
    assert 0 < len(idle) <= 16
    events.dispose()
    assert not pool._idle
    for reading in idle:
        with pytest.raises(Exception, match="closed"):
            reading.ask(COUNT, {})


def test_readers_do_not_queue_for_a_server_that_is_silent() -> None:
    """After one attempt to connect ran into its timeout, all others fail at once for a while."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        events = open_engine(f"postgresql+psycopg://x@{address}/x?connect_timeout=2", purpose="events")
        pool = ReaderPool(events)

        def fail(_: int) -> BaseException:
            with pytest.raises(exc.OperationalError) as error:
                pool.ask(COUNT, {})
            return error.value

        first = fail(0)
        with ThreadPoolExecutor(4) as threads:
            later = list(threads.map(fail, range(100)))
        assert {trouble_of(error) for error in [first, *later]} == {StoreTrouble.AWAY}
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # no other attempt was made
            silent.accept()
        events.dispose()
