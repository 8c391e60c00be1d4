"""Fixtures: a place with a book, another of the same kind without, and a directory for backups."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.backup.places import Place, begun, copied, new_place
from tests.postgres import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database; each test runs on both."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Place]:
    """What returns a place of a kind with a book of masks that has just begun. It is copied, and stays as it is."""

    @cache
    def begun_once(kind: str) -> Place:
        database = new_database() if kind == "postgresql" else ""
        place = Place(tmp_path_factory.mktemp("begun") / "books", database)
        begun(place)
        return place

    return begun_once


@pytest.fixture
def books(kind: str, tmp_path: Path, origin: Callable[[str], Place]) -> Iterator[Place]:
    """A place with a book of masks that has just begun."""
    with copied(origin(kind), tmp_path / "books") as place:
        yield place


@pytest.fixture
def empty(kind: str, tmp_path: Path) -> Iterator[Place]:
    """Another place of the same kind, without books."""
    with new_place(kind, tmp_path / "restored") as place:
        yield place


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where a backup may go."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "backup"
