"""The fixture of the tests of the queries."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from pathbook.ledger.queries import Queries
from tests.queries.written import MASKS, WrittenStory, open_queries


@pytest.fixture(params=["sqlite", "postgresql"])
def query_story(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Queries]]:
    """Return a function that writes the book of a story of masks, and opens it for queries, on both databases."""
    with contextlib.ExitStack() as stack:
        yield lambda text: stack.enter_context(
            open_queries(WrittenStory(MASKS + text).entries, request.param)
        )
