"""Measurements of a bench inside a store leave no data behind."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.ledger.store.bench.floor import WAYS
from pathbook.ledger.store.bench.scratch_database import ScratchDatabaseError, scratch_database
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.services.measuring import Measuring, database_of_its_own
from tests.postgres import cluster

ENTRIES = [("PartyRegistered.v1", bytes([number])) for number in range(10)]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a temporary PostgreSQL database, or an empty text for SQLite."""
    if request.param == "sqlite":
        yield ""
        return
    with database_of_its_own(cluster().format(name="postgres")) as url:
        yield url


def test_the_bare_database_is_measured_beside_the_log(tmp_path: Path, database: str) -> None:
    """Each way of writing returns seconds for each group of rows, and leaves the log and its size unchanged."""
    with contextlib.closing(Measuring(tmp_path, database)) as measuring:
        engine = open_engine(database or tmp_path / "events.sqlite", purpose="events")
        stream = Stream(engine)
        stream.append("book", 0, ENTRIES)
        before = measuring.sizes()
        for way in measuring.floors:
            assert len(measuring.floor(way, "book", 25, 10)) == 3
        assert measuring.floors == WAYS[engine.dialect.name]
        assert [entry.data for entry in stream.read("book", 0, 100)] == [data for _, data in ENTRIES]
        assert measuring.sizes() == before
        assert before[0] > 0
        stream.close()
        engine.dispose()


def test_a_scratch_database_is_dropped() -> None:
    """A scratch database can be opened by its URL, exists once, and is dropped at the end."""
    server = cluster().format(name="postgres")
    with scratch_database(server, "scratch_of_a_test") as url:
        engine = open_engine(url, purpose="events")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT current_database()").scalar() == "scratch_of_a_test"
        with (
            pytest.raises(ScratchDatabaseError, match="already exists"),
            scratch_database(server, "scratch_of_a_test"),
        ):
            pass
        engine.dispose()
    with scratch_database(server, "scratch_of_a_test"):
        pass
