"""The next table is read while the one before it is recorded."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from pathbook.importing.files import TableError
from pathbook.importing.loading import load_recipe
from pathbook.importing.planning import Planner
from pathbook.importing.sources import Source, find_sources
from tests.importing.sheets import RUM, sold, write

PATIENCE: Final = 60
"""How long (seconds) a test waits for a thread."""

MANY: Final = 100_000
"""More rows than are read while a generator is closed."""


def planner(directory: Path, *counts: int) -> tuple[Planner, Sequence[Source], int]:
    """Return a planner of tables with so many rows, the tables, and the number of their bytes."""
    paths = [write(directory / f"t{number}.csv", rows(count)) for number, count in enumerate(counts)]
    recipe = load_recipe("iowa")
    sources = find_sources(paths, recipe)
    total = sum(path.stat().st_size for path in paths)
    return Planner(sources, recipe, lambda *_: None), sources, total


def rows(count: int) -> Iterator[tuple[str, ...]]:
    """Yield rows that move different quantities."""
    return (sold(RUM, 1 + number) for number in range(count))


def test_plans_come_in_the_order_of_the_tables(tmp_path: Path) -> None:
    """Each table has its own plan."""
    planned, sources, _ = planner(tmp_path, 3, 1, 2)
    found = list(planned.plans())
    assert [plan.source for plan in found] == list(sources)
    assert [plan.rows for plan in found] == [3, 1, 2]


def test_the_next_table_is_read_before_its_plan_is_asked_for(tmp_path: Path) -> None:
    """While the caller has the first plan, the second table is read to its end, and the third one is not."""
    planned, sources, _ = planner(tmp_path, 3, 4, 5)
    plans = planned.plans()
    next(plans)
    until = time.monotonic() + PATIENCE
    two = sum(source.stamp.size for source in sources[:2])
    while planned.bytes_read < two:
        assert time.monotonic() < until, planned.bytes_read
        time.sleep(0.01)
    plans.close()
    assert planned.bytes_read == two


def test_a_plan_that_is_not_waited_for_is_given_up(tmp_path: Path) -> None:
    """An import that ends early does not read the next table to its end."""
    planned, _, total = planner(tmp_path, 1, MANY)
    plans = planned.plans()
    next(plans)
    plans.close()
    assert planned.bytes_read < total


def test_a_table_that_cannot_be_read_is_told_in_its_turn(tmp_path: Path) -> None:
    """The plans before it come first."""
    planned, sources, _ = planner(tmp_path, 1, 2, 3)
    sources[2].path.unlink()
    plans = planned.plans()
    assert [next(plans).rows, next(plans).rows] == [1, 2]
    with pytest.raises(TableError, match=r"t2\.csv"):
        next(plans)
