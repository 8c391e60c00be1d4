"""The fingerprints of the views and reports of a book: equal rows have equal ones, on every kind of database."""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Table

from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.report import Report
from pathbook.ledger.store.database.engine import reading
from pathbook.ledger.store.database.places import VIEWS_VERSION
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views.tables import REFILL, VIEWS

ROWS_AT_ONCE = 5_000
"""How many rows are in memory at once."""


def views_fingerprint(engine: Engine, book: str) -> str:
    """Return SHA-256 over all rows of a book's views, in hexadecimal.

    Tables come in the order of their names. Their rows come in the order of their primary keys, each as a list in
    MessagePack. The positions in ``refill`` are left out, because they say how far the views are to be rebuilt.
    """
    return _fingerprint(engine, book, [table for table in VIEWS.sorted_tables if table is not REFILL])


def report_fingerprint(engine: Engine, book: str, report: Report) -> str:
    """Return the same of the rows of a report."""
    return _fingerprint(engine, book, [table_of(report)])


def whole_fingerprint(engine: Engine, book: str) -> str:
    """Return the same of the views and all reports together. `whole_version` says of which versions."""
    tables = [table for table in VIEWS.sorted_tables if table is not REFILL]
    return _fingerprint(engine, book, [*tables, *map(table_of, REPORTS)])


def whole_version() -> str:
    """Return the version of the views with those of all reports."""
    return " ".join([VIEWS_VERSION, *(report.title for report in REPORTS)])


def _fingerprint(engine: Engine, book: str, tables: Iterable[Table]) -> str:
    digest = hashlib.sha256()
    with reading(engine) as connection:
        for table in sorted(tables, key=lambda table: table.name):
            digest.update(table.name.encode())
            for row in _rows(connection, table, book):
                digest.update(msgspec.msgpack.encode(row))
    return digest.hexdigest()


def _rows(connection: Connection, table: Table, book: str) -> Iterator[list[object]]:
    ordered = sa.select(table).where(table.c.book == book).order_by(*table.primary_key.columns)
    streamed = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(ordered)
    for row in streamed:
        yield [_plain(value) for value in row]


def _plain(value: object) -> object:
    """Return a value as every database returns it: truth is a number, and bytes are bytes."""
    if isinstance(value, bool):
        return int(value)
    return bytes(value) if isinstance(value, (memoryview, bytearray)) else value
