"""Fixtures that start a server for one test on a free port, with a client."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.client import Client
from tests.services.masks import opened


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The directory of the server's books."""
    return tmp_path / "data"


@pytest.fixture
def client(data: Path) -> Iterator[Client]:
    """A client of the book of masks on the server of this test."""
    with opened(data) as client:
        yield client


@pytest.fixture
def target(client: Client) -> str:
    """The address of the server."""
    return client.target
