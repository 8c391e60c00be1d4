"""The speed of the bare database, without Pathbook: rows per second by its driver alone, and bytes on its disk."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final

import psycopg
from sqlalchemy import Engine, MetaData

from pathbook.ledger.store.database.bulk_write import insert_statement
from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.log.event_table import EVENT

Row = tuple[str, int, str, bytes]
"""A row of the log: book, position, topic, bytes."""

EXECUTEMANY: Final = "executemany"
"""One row at a time, as every driver can."""

ARRAYS: Final = "arrays"
"""All rows of a group in one message, which is how the log is written on PostgreSQL."""

WAYS: Final = {"sqlite": (EXECUTEMANY,), "postgresql": (EXECUTEMANY, ARRAYS)}
"""The ways in which rows can be written to each kind of database."""

# A table like the log's, under another name.
_FLOOR = EVENT.to_metadata(MetaData(), name="floor")

_SIZES: Final = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
    " WHERE relnamespace = to_regnamespace(current_setting('search_path')) AND relkind = 'r'",
}


def seconds(engine: Engine, way: str, rows: Sequence[Row], group: int) -> list[float]:
    """Write rows of one book to an empty table like the log's, in transactions of ``group`` rows.

    Returns the seconds of each transaction. The table is dropped at the end. If the engine was opened for
    events, it has the settings of the log: each commit is on the disk.
    """
    with writing(engine) as connection:
        _FLOOR.create(connection)
    try:
        if way == ARRAYS:
            return _time_groups(_write_arrays(engine), rows, group)
        with closing(engine.raw_connection()) as connection:
            return _time_groups(_write_row_by_row(connection.driver_connection), rows, group)
    finally:
        with writing(engine) as connection:
            _FLOOR.drop(connection)


def size(engine: Engine) -> int:
    """Return how many bytes the tables of a database take on its disk, with their indexes."""
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(_SIZES[engine.dialect.name]).scalar_one())


def _write_arrays(engine: Engine) -> Callable[[Sequence[Row]], None]:
    statement = insert_statement(_FLOOR)

    def write(part: Sequence[Row]) -> None:
        with engine.connect() as connection, connection.begin():
            statement.execute(connection, part[0][0], [row[1:] for row in part])

    return write


def _write_row_by_row(driver: object) -> Callable[[Sequence[Row]], None]:
    """Return a function that writes a group of rows and commits it, with the driver alone."""
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


def _time_groups(write: Callable[[Sequence[Row]], None], rows: Sequence[Row], group: int) -> list[float]:
    durations = []
    for start in range(0, len(rows), group):
        part = rows[start : start + group]
        started = time.perf_counter()
        write(part)
        durations.append(time.perf_counter() - started)
    return durations
