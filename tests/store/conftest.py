"""Fixtures for the tests of the store: databases of both kinds, a log, and a long book."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pathbook.ledger.store.database.engine import Purpose, open_engine
from pathbook.ledger.store.log.stream import Stream
from tests.books import url
from tests.projections.synthetic import SyntheticBook


@pytest.fixture
def locate(place: Path) -> Callable[[Purpose], str]:
    """Return the URL of this test's new database for a purpose."""
    return lambda purpose: url(place, purpose)


@pytest.fixture
def connect(locate: Callable[[Purpose], str]) -> Iterator[Callable[[Purpose], Engine]]:
    """Open further engines on this test's database, and dispose of them at the end."""
    engines: list[Engine] = []

    def open_another(purpose: Purpose) -> Engine:
        engines.append(open_engine(locate(purpose), purpose=purpose))
        return engines[-1]

    yield open_another
    for engine in engines:
        engine.dispose()


@pytest.fixture
def stream(connect: Callable[[Purpose], Engine]) -> Iterator[Stream]:
    """An empty log."""
    stream = Stream(connect("events"))
    yield stream
    stream.close()


@pytest.fixture(scope="session")
def long_book() -> SyntheticBook:
    """A book that is long enough to be interrupted often."""
    return SyntheticBook(1, 1_400)
