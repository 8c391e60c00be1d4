"""A server for one test, on a free port of this machine, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.client import Client
from tests.services.masks import opened


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the server keeps its books."""
    return tmp_path / "data"


@pytest.fixture
def client(data: Path) -> Iterator[Client]:
    """A client of the book of masks, on a server of this test."""
    with opened(data) as client:
        yield client


@pytest.fixture
def target(client: Client) -> str:
    """Where the server is called."""
    return client.target
