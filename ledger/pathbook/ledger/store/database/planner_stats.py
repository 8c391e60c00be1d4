"""Statistics for the query planners, so that they plan for large books from the first rows on."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Index, MetaData, Table

ROWS = 1_000_000
"""How many rows the planner assumes in each table, all of one book."""

PARTIAL_ROWS = 10_000
"""How many rows the planner assumes in a partial index, such as the runs in force or the open offers."""

ROWS_OF_ONE = 1_000
"""Each further column of a key, such as the party or the batch, divides the number of matching rows by this."""


def write_statistics(views: MetaData, connection: Connection, **_: object) -> None:
    """Write the statistics that ANALYZE would find in a large book (sqlite.org/fileformat.html#stat1tab).

    By default SQLite assumes that a book has ten rows, and searches by the book alone. These statistics never
    change, so the plans do not change either.
    """
    connection.exec_driver_sql("ANALYZE")  # it finds no rows yet, but it creates the statistics table
    _write(views.sorted_tables, connection)


def write_statistics_of(tables: Sequence[Table], connection: Connection) -> None:
    """Write the same for tables that were just made. Other tables may have any number of rows."""
    for table in tables:
        connection.exec_driver_sql(f"ANALYZE {connection.dialect.identifier_preparer.format_table(table)}")
    _write(tables, connection)


def _write(tables: Sequence[Table], connection: Connection) -> None:
    written = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    connection.execute(written.delete().where(written.c.tbl.in_([table.name for table in tables])))
    statistics = [
        {"tbl": table.name, "idx": name, "stat": " ".join(map(str, counts))}
        for table in tables
        for name, counts in _counts(table)
    ]
    connection.execute(written.insert(), statistics)
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # makes this connection load the statistics


def refresh_statistics(tables: Sequence[Table], connection: Connection) -> None:
    """Have PostgreSQL refresh its statistics of tables. It then plans its statements again."""
    for view in tables:
        connection.exec_driver_sql(f"ANALYZE {connection.dialect.identifier_preparer.format_table(view)}")


def _counts(table: Table) -> list[tuple[str, list[int]]]:
    """Return for each index its number of rows, then how many rows share its first column, its first two, and so on."""
    key = (table.name, [*_matching_rows(ROWS, table.primary_key.columns.keys())[:-1], 1])
    return [
        key,
        *(
            (str(index.name), _matching_rows(_index_rows(index), index.columns.keys()))
            for index in table.indexes
        ),
    ]


def _index_rows(index: Index) -> int:
    return ROWS if index.dialect_options["sqlite"]["where"] is None else PARTIAL_ROWS


def _matching_rows(rows: int, columns: Sequence[str]) -> list[int]:
    counts = [rows]
    for column in columns:
        counts.append(counts[-1] if column == "book" else max(1, counts[-1] // ROWS_OF_ONE))
    return counts
