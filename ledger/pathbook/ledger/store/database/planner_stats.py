"""What the query planners are told of the views, so that they plan for large books from the first rows on."""

import sqlalchemy as sa
from sqlalchemy import Connection, Index, MetaData, Table

ROWS = 1_000_000
"""How many rows the planner takes each table for, all of one book."""

PARTIAL_ROWS = 10_000
"""The same for an index on a part of a table: the runs in force, the offers that are open."""

ROWS_OF_ONE = 1_000
"""How many times fewer rows share one more column of a key: the rows of one party, or of one batch."""


def write_statistics(views: MetaData, connection: Connection, **_: object) -> None:
    """Write the statistics that ANALYZE would find in a large book (sqlite.org/fileformat.html#stat1tab).

    Left alone, SQLite supposes that a book has ten rows, and passes by whatever else a statement asks for. These
    never change, so neither do its plans.
    """
    connection.exec_driver_sql("ANALYZE")  # there is nothing to find yet, but it makes the table
    table = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    connection.execute(table.delete())
    found = [
        {"tbl": view.name, "idx": name, "stat": " ".join(map(str, counts))}
        for view in views.sorted_tables
        for name, counts in _counts(view)
    ]
    connection.execute(table.insert(), found)
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # read them


def refresh_statistics(views: MetaData, connection: Connection) -> None:
    """Have PostgreSQL make its statistics of the views as they are now; it makes its plans anew for them."""
    for view in views.sorted_tables:
        connection.exec_driver_sql(f"ANALYZE {connection.dialect.identifier_preparer.format_table(view)}")


def _counts(table: Table) -> list[tuple[str, list[int]]]:
    """Return for each index how many rows there are, and how many share its first column, its first two ..."""
    key = (table.name, [*_falling(ROWS, len(table.primary_key.columns))[:-1], 1])
    return [key, *((str(index.name), _falling(_rows(index), len(index.columns))) for index in table.indexes)]


def _rows(index: Index) -> int:
    return ROWS if index.dialect_options["sqlite"]["where"] is None else PARTIAL_ROWS


def _falling(rows: int, columns: int) -> list[int]:
    return [rows, *(max(1, rows // ROWS_OF_ONE**place) for place in range(columns))]
