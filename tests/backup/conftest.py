"""Fixtures: a place with a book, another of the same kind without, and a directory for backups."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup.places import Place, begun, new_place


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database; each test runs on both."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def books(kind: str, tmp_path: Path) -> Iterator[Place]:
    """A place with a book of masks that has just begun."""
    with new_place(kind, tmp_path / "books") as place:
        begun(place)
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
