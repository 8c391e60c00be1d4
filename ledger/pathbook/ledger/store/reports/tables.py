"""The tables of the reports: one for each version of a report, and the position that each has reached in each book."""

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, Table
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable
from sqlalchemy.types import TypeEngine

from pathbook.ledger.reports.report import ColumnKind, Report
from pathbook.ledger.store.database.bulk_write import Statement, add_statement, delete_statement
from pathbook.ledger.store.database.engine import TEXT
from pathbook.ledger.store.database.planner_stats import write_statistics_of

PREFIX: Final = "report_"
"""How the names of these tables begin. No table of the views begins so."""

POSITIONS: Final = Table(
    f"{PREFIX}position",
    MetaData(),
    Column("book", TEXT, primary_key=True),
    Column("report", TEXT, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("through", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How far each version of a report is in each book. It is being built until its position is at least ``through``."""

_TYPES: Final[dict[ColumnKind, TypeEngine[str] | TypeEngine[int]]] = {
    ColumnKind.TEXT: TEXT,
    ColumnKind.NUMBER: BigInteger(),
    ColumnKind.SMALL: Integer(),
    ColumnKind.BATCH: Integer(),
    ColumnKind.PARTY: TEXT,
    ColumnKind.TIER: Integer(),
    ColumnKind.DAY: Integer(),
}


class _Writes(NamedTuple):
    add: Statement
    remove: Statement


@cache
def table_of(report: Report) -> Table:
    """Return the table of a report. Its name has the version, so that two versions can stand side by side."""
    name = f"{PREFIX}{report.title}"
    table = Table(
        name,
        MetaData(),
        Column("book", TEXT, primary_key=True),
        *(
            Column(column.name, _TYPES[column.kind], primary_key=True, autoincrement=False)
            for column in report.key
        ),
        *(Column(total, BigInteger, nullable=False) for total in report.sums),
        sqlite_with_rowid=False,
    )
    empty = _is_empty(report)
    Index(f"{name}_to_remove", table.c.book, *(table.c[total] for total in report.sums),
          sqlite_where=empty, postgresql_where=empty)  # fmt: skip
    for index in report.indexes:
        some = None if index.differ is None else _differ(table, *index.differ)
        named = next(column for column in index.columns if column != table.c.book.name)
        Index(f"{name}_by_{named}", *(table.c[column] for column in index.columns),
              sqlite_where=some, postgresql_where=some)  # fmt: skip
    return table


@cache
def writes_of(report: Report) -> _Writes:
    """Return the statement that adds to the rows of a report, and the one that then removes rows without sums."""
    table = table_of(report)
    return _Writes(add_statement(table), delete_statement(table, [], _is_empty(report)))


def _differ(table: Table, one: str, other: str) -> sa.ColumnElement[bool]:
    return table.c[one] != table.c[other]


def _is_empty(report: Report) -> sa.TextClause:
    return sa.text(" AND ".join(f"{total} = 0" for total in report.sums))


def has_all(connection: Connection, reports: Sequence[Report]) -> bool:
    """Tell whether all tables of the reports are there."""
    names = set(sa.inspect(connection).get_table_names())
    return {POSITIONS.name, *(table_of(report).name for report in reports)} <= names


def make_missing(connection: Connection, reports: Sequence[Report]) -> None:
    """Make the tables that are missing. A report whose table was lost begins again."""
    names = set(sa.inspect(connection).get_table_names())
    connection.execute(CreateTable(POSITIONS, if_not_exists=True))
    for report in reports:
        table = table_of(report)
        if table.name in names:
            continue
        connection.execute(POSITIONS.delete().where(*_is_of(report)))
        connection.execute(CreateTable(table))
        for index in table.indexes:
            connection.execute(CreateIndex(index))
        if connection.dialect.name == "sqlite":
            write_statistics_of([table], connection)


def drop(connection: Connection, name: str, version: int) -> None:
    """Drop the table of a version of a report, with its positions."""
    table = Table(f"{PREFIX}{name}_{version}", MetaData())
    connection.execute(DropTable(table, if_exists=True))
    connection.execute(POSITIONS.delete().where(POSITIONS.c.report == name, POSITIONS.c.version == version))


def _is_of(report: Report) -> tuple[sa.ColumnElement[bool], ...]:
    return POSITIONS.c.report == report.name, POSITIONS.c.version == report.version
