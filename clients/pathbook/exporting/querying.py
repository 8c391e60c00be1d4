"""SQL over an export, read only, in this process. It needs DuckDB."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from pathbook.exporting.manifest import Export, ExportError
from pathbook.exporting.statements import NEWEST_TABLES, newest_table
from pathbook.ledger.reports.flat import FLAT_TABLES

_READS: Final = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN})


class Answer(NamedTuple):
    """The names of the columns of an answer, and its rows."""

    columns: Sequence[str]
    rows: Iterator[tuple[object, ...]]


@contextlib.contextmanager
def opened(path: Path) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open an export. The connection has all tables by name, and reads no other file.

    Raises:
        ExportError: there is no export, or it is damaged.
        OSError: a file cannot be read.
    """
    export = Export(path.absolute())
    manifest = export.read()
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute(f"SET allowed_directories = [{_quoted(str(export.path))}]")
        for table in FLAT_TABLES:
            files = ", ".join(_quoted(str(file)) for file in export.files(manifest, table))
            if not files:
                raise ExportError("EXPORT_MISSING", f"{path} has no events yet. Export the book again.")
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet([{files}])")  # noqa: S608 - names are quoted, and tables are ours
        for table in NEWEST_TABLES:
            connection.execute(f"CREATE VIEW {table} AS {newest_table(table)}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def ask(connection: "duckdb.DuckDBPyConnection", query: str) -> Answer:
    """Run one query.

    Raises:
        ExportError: QUERY_NOT_READING if it is not exactly one query, or QUERY_FAILED with what DuckDB says.
    """
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type not in _READS:
            message = "An export is only read: give one query, such as SELECT count(*) FROM move."
            raise ExportError("QUERY_NOT_READING", message)
        found = connection.execute(statements[0])
        columns = [column[0] for column in found.description]
    except duckdb.Error as error:
        raise _failed(error) from None
    return Answer(columns, _rows(found))


def _rows(found: "duckdb.DuckDBPyConnection") -> Iterator[tuple[object, ...]]:
    try:
        while rows := found.fetchmany(1_000):
            yield from rows
    except duckdb.Error as error:
        raise _failed(error) from None


def _failed(error: duckdb.Error) -> ExportError:
    return ExportError("QUERY_FAILED", f"DuckDB says: {_first_line(error)}")


def _first_line(error: duckdb.Error) -> str:
    """Return what an error says before it draws where in the query."""
    return str(error).strip().partition("\n")[0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
