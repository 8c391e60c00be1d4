"""Fixtures that start a server for one test on a free port, with a client."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from pathbook.client import Client
from tests.services.masks import begin, opened
from tests.services.signing import ACME, ANN, OPERATOR, Filer


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


@pytest.fixture
def filer(client: Client) -> Iterator[Filer]:
    """What calls the services of keys and statements, in a book in which the operator, acme and ann have a key."""
    begin(client)
    with grpc.insecure_channel(client.target) as channel:
        filer = Filer(channel)
        filer.register(OPERATOR, ACME, ANN)
        yield filer
