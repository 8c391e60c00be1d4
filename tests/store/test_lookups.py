"""Lookups: every statement on the views finds its rows by a key, however large the book is."""

import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, Select

from pathbook.ledger.hops import NOT_LOADED, Hop
from pathbook.ledger.projections import cases, keys, registers, transfers
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.holdings import HELD_COLUMNS, HOLDINGS
from pathbook.ledger.reports.report import ColumnKind
from pathbook.ledger.run import Run
from pathbook.ledger.store.database.engine import Purpose
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.reports.positions import position_lookup
from pathbook.ledger.store.reports.tables import POSITIONS, table_of
from pathbook.ledger.store.views import due_offers, list_lookups, lookups, run_cache, tables, unit_history
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.report_rows import count_of_rows, wanted_rows
from pathbook.ledger.store.views.tables import RunRow, row_from_run, run_from_row
from pathbook.ledger.values import UnitState

ROWS: dict[type[NamedTuple], sa.Table] = {
    registers.PartyRow: tables.PARTY,
    registers.AuthorizationRow: tables.AUTHORIZATION,
    registers.ProductRow: tables.PRODUCT,
    registers.BatchRow: tables.BATCH,
    registers.RecallRow: tables.RECALL,
    registers.RequestRow: tables.REQUEST,
    keys.KeyRow: tables.KEY,
    transfers.TransferRow: tables.TRANSFER,
    cases.CaseRow: tables.PACKED_CASE,
    cases.CaseRangeRow: tables.CASE_RANGE,
    tables.RunRow: tables.RUN,
}

TABLES: list[sa.Table] = [*tables.VIEWS.sorted_tables, POSITIONS, *map(table_of, REPORTS)]
"""The tables that answers are read from."""

positions = st.integers(0, 2**62)
owners = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


WITH_EVENTS = unit_history._HISTORY_WITH_EVENTS
"""It needs a database that holds the log as well as the views."""


def statements(kind: str) -> Iterator[tuple[str, Select[*tuple[object, ...]]]]:
    """Yield every statement that reads the views in a kind of database, with its name."""
    for scans in (list_lookups.TRANSFERS, list_lookups.TRANSFERS_OF_STATUS):
        for order, by_side in scans.items():
            for side, statement in by_side.items():
                yield f"transfers, newest first {order}, of {side}", statement
    for report in REPORTS:
        yield f"the position of {report.title}", position_lookup(report)
        columns = tuple(column.name for column in report.key)
        if report.key[0].kind is ColumnKind.BATCH:
            yield f"the rows of a batch in {report.title}", wanted_rows(report, ("batch",), columns)
            yield f"the rows of a product in {report.title}", wanted_rows(report, ("product",), columns[1:])
        if [column.name for column in report.key if column.kind is ColumnKind.PARTY] == [columns[0]]:
            yield f"the rows of a party in {report.title}", wanted_rows(report, ("party",), columns)
    for narrowed in ("first_parties", "second_party"):
        columns = tuple(column.name for column in HOLDINGS.key)
        yield f"the holdings of {narrowed}", wanted_rows(HOLDINGS, (narrowed,), columns)
        yield f"the sums of {narrowed}", wanted_rows(HOLDINGS, (narrowed,), HELD_COLUMNS, with_count=True)
        yield f"the number of {narrowed}", count_of_rows(HOLDINGS, (narrowed,))
    modules: list[ModuleType] = [lookups, list_lookups, unit_history, run_cache, due_offers]
    for module in modules:
        for name, statement in vars(module).items():
            if isinstance(statement, Select) and (kind == "postgresql" or statement is not WITH_EVENTS):
                yield f"{module.__name__}.{name}", statement


def test_a_lookup_searches_by_more_than_the_book(connect: Callable[[Purpose], Engine]) -> None:
    """No plan scans a table, or reads all rows of a book."""
    views = connect("views")
    Follower(Stream(connect("events")), views)
    if views.dialect.name == "postgresql":
        fill(views)
    read_from = {table.name for table in TABLES} - {"refill"}
    for name, statement in statements(views.dialect.name):
        if views.dialect.name == "postgresql":
            steps, whole_book = plan_of_postgresql(statement, views), r"Index Cond: \(\(?book = [^()]+\)+$"
        else:
            steps, whole_book = plan_of_sqlite(statement, views), r".*\(book=\?\)"
        assert steps, name
        for place, step in enumerate(steps):
            scanned = re.match(r"(?:SCAN|Seq Scan on) (\w+)", step)
            assert scanned is None or scanned[1] not in read_from, (name, steps)
            assert not step.startswith("BLOOM FILTER"), (name, steps)  # it reads a whole table
            assert not re.match(whole_book, step) or "refill" in f"{steps[place - 1]}{step}", (name, steps)


def test_holdings_are_looked_up_by_the_index_that_is_made_for_it(
    connect: Callable[[Purpose], Engine],
) -> None:
    """Without the right index or statistics, SQLite tries all owners of a batch, or all batches of an owner."""
    views = connect("views")
    Follower(Stream(connect("events")), views)
    is_sqlite = views.dialect.name == "sqlite"
    if not is_sqlite:
        fill(views)
    table = table_of(HOLDINGS).name
    for filters, index in (
        (("batch",), "PRIMARY KEY" if is_sqlite else f"{table}_pkey"),
        (("first_parties",), f"{table}_by_owner"),
        (("second_party",), f"{table}_by_custodian"),
    ):
        for with_count in (False, True):
            columns = HELD_COLUMNS if with_count else tuple(column.name for column in HOLDINGS.key)
            statement = wanted_rows(HOLDINGS, filters, columns, with_count=with_count)
            steps = (plan_of_sqlite if is_sqlite else plan_of_postgresql)(statement, views)
            assert any(index in step for step in steps), steps
            assert not any("ANY(" in step for step in steps), steps


def fill(views: Engine) -> None:
    """Fill every table with rows of one book, because PostgreSQL plans by the present rows."""
    with views.begin() as connection:
        for table in TABLES:
            values = [
                "''"
                if column.name == "book"
                else "'x' || g"
                if isinstance(column.type, sa.Text)
                else "g::text::bytea"
                if isinstance(column.type, sa.LargeBinary)
                else "g"
                for column in table.c
            ]
            rows = 1 if table is tables.REFILL else 10_000
            quoted = views.dialect.identifier_preparer.format_table(table)
            names = ", ".join(map(views.dialect.identifier_preparer.format_column, table.c))
            connection.exec_driver_sql(
                f"INSERT INTO {quoted} ({names}) SELECT {', '.join(values)} FROM generate_series(1, {rows}) g"
            )
            connection.exec_driver_sql(f"ANALYZE {quoted}")


def plan_of_sqlite(statement: Select[*tuple[object, ...]], views: Engine) -> list[str]:
    """Return the plan of SQLite for a statement."""
    compiled = statement.compile(views)
    with views.begin() as connection:
        parameters = tuple(0 for _ in compiled.positiontup or ())
        return [
            row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters)
        ]


def plan_of_postgresql(statement: Select[*tuple[object, ...]], views: Engine) -> list[str]:
    """Return the plan of PostgreSQL for a statement."""
    compiled = statement.compile(views)
    with views.begin() as connection:
        parameters = {
            name: "" if isinstance(bind.type, sa.String) else 0 for name, bind in compiled.binds.items()
        }
        if "keys" in parameters:
            parameters["keys"] = '["1", "2"]'
        plan = connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {compiled}", parameters)
        return [row[0].strip().removeprefix("->").strip() for row in plan]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_the_columns_of_its_table(row: type[NamedTuple]) -> None:
    """The fields of a row are, in order, the columns of its table after the book."""
    assert ["book", *row._fields] == ROWS[row].columns.keys()


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Draw a run. Its last hop moved it from the run before, or from an earlier one, or there is none."""
    first, last, valid_from, position, origin, previous, previous_origin = (draw(positions) for _ in range(7))
    transfer, moved_from = draw(positions), draw(st.just("") | owners)
    moved_last = Hop(max(transfer, 1), moved_from, previous, previous_origin, NOT_LOADED)
    offered = Hop(draw(st.integers(1, 2**62)), moved_from, draw(positions), draw(positions), NOT_LOADED)
    return Run(
        first=first,
        last=last,
        valid_from=valid_from,
        position=position,
        origin=origin,
        previous=previous,
        previous_origin=previous_origin,
        owner=draw(owners),
        custodian=draw(owners),
        state=draw(st.sampled_from(UnitState)),
        transfer=transfer,
        last_hop=draw(st.none() | st.sampled_from([offered, moved_last])),
        head=draw(st.binary(min_size=32, max_size=32)),
    )


@given(
    runs(),
    positions,
    st.none() | positions,
)
def test_a_run_is_read_back_from_its_row(run: Run, batch: int, valid_to: int | None) -> None:
    """A run that is read from its row equals the run that was written."""
    row = RunRow._make(row_from_run(batch, run, valid_to))
    assert run_from_row(row) == run
    assert (row.batch, row.valid_to) == (batch, valid_to)
