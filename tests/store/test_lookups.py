"""Looking up: every statement put to the views finds its rows by a key, however large the book."""

import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, Select

from ledger.projections import cases, registers, transfers
from ledger.runs import Run
from ledger.store import lookups, partitions, paths, tables
from ledger.store.database import Purpose
from ledger.store.follower import Follower
from ledger.store.stream import Stream
from ledger.store.tables import row_from_run, run_from_row
from ledger.values import UnitState

ROWS: dict[type[NamedTuple], sa.Table] = {
    registers.PartyRow: tables.PARTY,
    registers.AuthorizationRow: tables.AUTHORIZATION,
    registers.ProductRow: tables.PRODUCT,
    registers.BatchRow: tables.BATCH,
    registers.RecallRow: tables.RECALL,
    registers.RequestRow: tables.REQUEST,
    transfers.TransferRow: tables.TRANSFER,
    cases.CaseRow: tables.PACKED_CASE,
    cases.CaseRangeRow: tables.CASE_RANGE,
    tables.RunRow: tables.RUN,
}

positions = st.integers(0, 2**62)
owners = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


def statements() -> Iterator[tuple[str, Select[*tuple[object, ...]]]]:
    """Yield every statement that reads the views, with its name."""
    modules: list[ModuleType] = [lookups, paths, partitions]
    for module in modules:
        for name, statement in vars(module).items():
            if isinstance(statement, Select):
                yield f"{module.__name__}.{name}", statement


@pytest.mark.parametrize("name", [name for name, _ in statements()])
def test_a_lookup_searches_by_more_than_the_book(name: str, connect: Callable[[Purpose], Engine]) -> None:
    """SQLite plans no scan of a table, and no search that would pass by all rows of a book."""
    views = connect("views")
    Follower(Stream(connect("events")), views)
    compiled = dict(statements())[name].compile(views)
    with views.begin() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(0 for _ in compiled.positiontup or ())
        )
        steps = [row.detail for row in plan]
    assert steps
    for step in steps:
        scanned = re.match(r"SCAN (\w+)", step)
        assert scanned is None or scanned[1] not in tables.VIEWS.tables, steps
        assert "(book=?)" not in step or "refill" in step, steps


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_the_columns_of_its_table(row: type[NamedTuple]) -> None:
    """The fields of a row are, in order, the columns of its table after the book."""
    assert ["book", *row._fields] == ROWS[row].columns.keys()


@given(
    st.builds(
        Run,
        *([positions] * 7),
        owners,
        owners,
        st.sampled_from(UnitState),
        positions,
        st.lists(positions, max_size=8).map(tuple),
        st.binary(min_size=32, max_size=32),
    ),
    positions,
    st.none() | positions,
)
def test_a_run_survives_its_row(run: Run, batch: int, valid_to: int | None) -> None:
    """A run read from its row is the run that was written."""
    row = row_from_run(batch, run, valid_to)
    assert run_from_row(row) == run
    assert (row.batch, row.valid_to) == (batch, valid_to)
