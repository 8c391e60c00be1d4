"""What a database does with nothing of ours above it: rows a second by its bare driver, and bytes on its disk."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final

import psycopg
from sqlalchemy import Engine, MetaData

from pathbook.ledger.store.database.bulk_write import inserting
from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.log.stream import EVENT

Row = tuple[str, int, str, bytes]
"""A row of the log: book, position, topic, bytes."""

EXECUTEMANY: Final = "executemany"
"""Row after row, as every driver can."""

ARRAYS: Final = "arrays"
"""All rows of a group in one message, as the log itself is written on PostgreSQL."""

WAYS: Final = {"sqlite": (EXECUTEMANY,), "postgresql": (EXECUTEMANY, ARRAYS)}
"""The ways in which each kind of database is given rows."""

# A table as the log's, in a place of its own.
_FLOOR = EVENT.to_metadata(MetaData(), name="floor")

_SIZES: Final = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
    " WHERE relnamespace = to_regnamespace(current_setting('search_path')) AND relkind = 'r'",
}


def seconds(engine: Engine, way: str, rows: Sequence[Row], group: int) -> list[float]:
    """Write rows of one book to an empty table as the log's, in transactions of so many.

    Returns the seconds of each transaction; at the end the table is gone. Who opens the engine for events has the
    log's own settings: what is committed is on the disk.
    """
    with writing(engine) as connection:
        _FLOOR.create(connection)
    try:
        if way == ARRAYS:
            return _timed(_in_arrays(engine), rows, group)
        with closing(engine.raw_connection()) as connection:
            return _timed(_row_after_row(connection.driver_connection), rows, group)
    finally:
        with writing(engine) as connection:
            _FLOOR.drop(connection)


def size(engine: Engine) -> int:
    """Return how many bytes the tables of a database take on its disk, with their indexes."""
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(_SIZES[engine.dialect.name]).scalar_one())


def _in_arrays(engine: Engine) -> Callable[[Sequence[Row]], None]:
    statement = inserting(_FLOOR)

    def write(part: Sequence[Row]) -> None:
        with engine.connect() as connection, connection.begin():
            statement.execute(connection, part[0][0], [row[1:] for row in part])

    return write


def _row_after_row(driver: object) -> Callable[[Sequence[Row]], None]:
    """Return what writes a group of rows and commits it, with the driver alone."""
    match driver:
        case sqlite3.Connection():

            def write(part: Sequence[Row]) -> None:
                driver.execute("BEGIN IMMEDIATE")
                driver.executemany("INSERT INTO floor VALUES (?, ?, ?, ?)", part)
                driver.execute("COMMIT")

        case psycopg.Connection():

            def write(part: Sequence[Row]) -> None:
                driver.cursor().executemany("INSERT INTO floor VALUES (%s, %s, %s, %s)", part)
                driver.commit()

        case _:
            raise AssertionError(driver)
    return write


def _timed(write: Callable[[Sequence[Row]], None], rows: Sequence[Row], group: int) -> list[float]:
    found = []
    for begin in range(0, len(rows), group):
        part = rows[begin : begin + group]
        began = time.perf_counter()
        write(part)
        found.append(time.perf_counter() - began)
    return found
