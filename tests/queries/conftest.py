"""What every test of the queries begins with."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from pathbook.ledger.queries import Queries
from tests.queries.written import MASKS, WrittenStory, asked


@pytest.fixture(params=["sqlite", "postgresql"])
def tell(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Queries]]:
    """Tell a story of masks, and open its book for questions, on databases of either kind."""
    with contextlib.ExitStack() as stack:
        yield lambda text: stack.enter_context(asked(WrittenStory(MASKS + text).entries, request.param))
