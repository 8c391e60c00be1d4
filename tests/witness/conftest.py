"""A witness of one log, for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.witness.logs import LOG, Served, witness


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A witness of one log."""
    with witness(tmp_path / "state", [LOG.key]) as found:
        yield found
