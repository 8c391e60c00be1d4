"""How many examples a test takes: few where each change waits for them, many where the heavy tests run, too."""

import os
from typing import Final

MANY: Final = "PATHBOOK_TEST_MANY_EXAMPLES"
"""The variable of the environment that is set where the heavy tests run. `tests/conftest.py` sets it."""


def examples(few: int, many: int) -> int:
    """Return how many examples a test takes in this run."""
    return many if os.environ.get(MANY) else few
