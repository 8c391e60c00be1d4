"""Where tests keep their books: on every kind of database that Pathbook opens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.books import DATABASE_FILE
from tests.postgres import drop_database, new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory for books that are in it, or in the database that is named in it; each test runs on both."""
    if request.param == "sqlite":
        yield tmp_path
        return
    url = new_database()
    (tmp_path / DATABASE_FILE).write_text(url, "utf-8")
    yield tmp_path
    drop_database(url)


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """A test that configures the log leaves nothing of it to the next: its stream is closed by then."""
    yield
    structlog.reset_defaults()
