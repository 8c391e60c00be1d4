"""Fixtures and settings for all tests: a place for books on each kind of database, and the profile of Hypothesis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.books import DATABASE_FILE
from tests.postgres import drop_database, new_database

# How long an example takes depends on the load of the machine, and says nothing about correctness.
settings.register_profile("pathbook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pathbook")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory that holds books, or names the database that holds them; each test runs on both."""
    if request.param == "sqlite":
        yield tmp_path
        return
    url = new_database()
    (tmp_path / DATABASE_FILE).write_text(url, "utf-8")
    yield tmp_path
    drop_database(url)


@pytest.fixture(autouse=True)
def reset_log() -> Iterator[None]:
    """Reset the configuration of the log after each test, because its stream is closed by then."""
    yield
    structlog.reset_defaults()
