"""The recorders keep the contracts of eventsourcing, by its own test cases, and those of Pathbook."""

import threading
import unittest
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy
from eventsourcing import persistence
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.tests import persistence as contracts
from sqlalchemy import Engine

from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import Purpose, open_engine, reading, writing
from pathbook.ledger.store.log.stream import SQLAlchemyAggregateRecorder
from pathbook.ledger.store.views.tracking import TRACKING, SQLAlchemyTrackingRecorder

Connect = Callable[[Purpose], Engine]


class AggregateContract(contracts.AggregateRecorderTestCase):
    """Eventsourcing's test case for aggregate recorders."""

    __test__ = False  # run below, on each kind of database
    engine: Engine

    def new_originator_id(self) -> str:
        """Return a new id, which is text here."""
        return str(uuid4())

    def create_recorder(self) -> SQLAlchemyAggregateRecorder:
        """Return our recorder."""
        return SQLAlchemyAggregateRecorder(self.engine)


class TrackingContract(contracts.TrackingRecorderTestCase):
    """Eventsourcing's test case for tracking recorders."""

    __test__ = False  # run below, on each kind of database
    engine: Engine

    def create_recorder(self) -> SQLAlchemyTrackingRecorder:
        """Return our recorder."""
        return SQLAlchemyTrackingRecorder(self.engine)


def names(case: type[unittest.TestCase]) -> list[str]:
    """Return the names of the tests in a test case, which must have some."""
    found = list(unittest.TestLoader().getTestCaseNames(case))
    assert found
    return found


@pytest.mark.parametrize("name", names(AggregateContract))
def test_the_aggregate_recorder_keeps_the_contract(name: str, connect: Connect) -> None:
    """The aggregate recorder passes eventsourcing's own test case."""
    case = AggregateContract(name)
    case.engine = connect("events")
    case.debug()


@pytest.mark.parametrize("name", names(TrackingContract))
def test_the_tracking_recorder_keeps_the_contract(name: str, connect: Connect) -> None:
    """The tracking recorder passes eventsourcing's own test case."""
    case = TrackingContract(name)
    case.engine = connect("views")
    case.debug()


def test_a_missing_table_is_told_as_damage(connect: Connect) -> None:
    """The damage names the database and what to do, without the events in its message."""
    engine = connect("events")
    recorder = SQLAlchemyAggregateRecorder(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TABLE event")
    with pytest.raises(DatabaseDamagedError, match=r"no such table|does not exist") as raised:
        recorder.insert_events([StoredEvent("masks", 1, "PriceAgreed", b"15000 minor units")])
    assert "15000" not in str(raised.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file with other content is refused and not changed."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database " * 100)
    engine = open_engine(path, purpose="events")
    with pytest.raises(DatabaseDamagedError, match="not a database"):
        SQLAlchemyAggregateRecorder(engine)
    assert path.read_bytes() == b"not a database " * 100


def test_tracking_commits_with_the_rows_beside_it(connect: Connect) -> None:
    """Rows and their tracking position are committed together, or not at all."""
    engine = connect("views")
    recorder = SQLAlchemyTrackingRecorder(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE unit_moved (number BIGINT)")
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO unit_moved VALUES (1)")
        recorder.insert_tracking_on(connection, Tracking("masks", 7))
        assert recorder.max_tracking_id_on(connection, "masks") == 7
        assert recorder.max_tracking_id("masks") is None

    def follow_again() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO unit_moved VALUES (2)")
            recorder.insert_tracking_on(connection, Tracking("masks", 7))

    with pytest.raises(persistence.IntegrityError):
        follow_again()
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT number FROM unit_moved").scalars().all() == [1]
        assert recorder.max_tracking_id_on(connection, "masks") == 7


def test_tracking_does_not_grow(connect: Connect) -> None:
    """A book has one tracking row, however often its position changes."""
    engine = connect("views")
    recorder = SQLAlchemyTrackingRecorder(engine)
    for position in range(1, 20):
        recorder.insert_tracking(Tracking("masks", position))
        recorder.insert_tracking(Tracking("gloves", position))
    with reading(engine) as connection:
        rows = connection.execute(sqlalchemy.select(TRACKING).order_by(TRACKING.c.application_name)).all()
    assert [tuple(row) for row in rows] == [("gloves", 19), ("masks", 19)]


def test_only_one_of_two_followers_records_each_position(connect: Connect) -> None:
    """Two followers of one book, each with its own connections, never both record the same position."""
    recorders = [SQLAlchemyTrackingRecorder(connect("views")) for _ in range(2)]
    recorded: list[list[int]] = [[], []]
    start = threading.Barrier(2)

    def follow(who: int) -> None:
        start.wait()
        for position in range(1, 101):
            try:
                recorders[who].insert_tracking(Tracking("masks", position))
            except persistence.IntegrityError:
                continue
            recorded[who].append(position)

    threads = [threading.Thread(target=follow, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both = recorded[0] + recorded[1]
    assert len(both) == len(set(both))
    assert recorders[0].max_tracking_id("masks") == 100
