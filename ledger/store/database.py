"""Opening a database: its writers take turns, its readers see one moment, its format is known."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, MetaData
from sqlalchemy.pool import ConnectionPoolEntry

Purpose = Literal["events", "views"]
"""What a database is for: the log, which must be kept, or the views, which can be rebuilt from it."""

BUSY_SECONDS = 30
"""How long a writer waits for its turn before it fails: far longer than a group of events takes to write."""

POOL_SIZE = 16
"""The connections an engine keeps open: a thread holds one only while it reads or writes."""

_SYNCHRONOUS = {"events": "FULL", "views": "NORMAL"}
# An acknowledged event outlives a power cut. Views may lose their last commits to it, and are carried on.

_WRITE_AHEAD_ATTEMPTS = 300
_WRITES = "pathbook_writes"


class FormatNotKnown(Exception):  # noqa: N818 -- nothing is broken: the file and the program are of two ages
    """A database is in format `found`, and this program reads format `known` only."""

    def __init__(self, database: str, found: int, known: int) -> None:
        super().__init__(
            f"{database} is in format {found}, and this Pathbook reads format {known}. Nothing was changed:"
            f" open it with a Pathbook that reads format {found}."
        )
        self.found = found
        self.known = known


def open_engine(url_or_path: str | Path, *, purpose: Purpose) -> Engine:
    """An engine on an SQLite file, for many threads and processes at once; its first use makes the file.

    Args:
        url_or_path: a path, or an SQLAlchemy URL: sqlite:///PATH.
        purpose: `events` has every commit on the disk before it counts, `views` leaves that to the system.

    Raises:
        ValueError: the URL is that of another kind of database.
    """
    is_url = isinstance(url_or_path, str) and "://" in url_or_path
    url = sqlalchemy.make_url(str(url_or_path)) if is_url else URL.create("sqlite", database=str(url_or_path))
    if url.get_backend_name() != "sqlite":
        raise ValueError(f"Pathbook does not open {url.get_backend_name()}: give a path, or sqlite:///PATH.")
    engine = sqlalchemy.create_engine(
        url,
        pool_size=POOL_SIZE,
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        hide_parameters=True,
    )

    @sqlalchemy.event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[purpose]}")

    @sqlalchemy.event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # Left alone, Python's driver begins no transaction before a SELECT: two reads would see two moments.
        # One that reads first and writes later could not wait its turn: SQLite says at once it is locked.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: it waits its turn, commits at the end, rolls back on an exception.

    Raises:
        sqlalchemy.exc.OperationalError: its turn did not come within BUSY_SECONDS, or the disk is full.
    """
    with engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads: all it sees is of one moment, that of its first SELECT."""
    with engine.connect() as connection, connection.begin():
        yield connection


def create_tables(engine: Engine, tables: MetaData, *, format_number: int) -> None:
    """Create the tables in a new database and mark it with their format (1, 2, ...); else read the mark.

    Raises:
        FormatNotKnown: the database bears another mark.
    """
    with reading(engine) as connection:
        found = _format_of(connection)
    if found == 0:
        with writing(engine) as connection:
            found = _format_of(connection)  # another process may have been first
            if found == 0:
                tables.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {format_number}")
                return
    if found != format_number:
        raise FormatNotKnown(str(engine.url.database), found, format_number)


def _format_of(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep readers and the writer out of each other's way.

    The file remembers the mode, but of several processes that make one file SQLite tells all but the first
    that it is locked, without letting them wait. So they ask again.
    """
    for attempt in range(1, _WRITE_AHEAD_ATTEMPTS + 1):
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == _WRITE_AHEAD_ATTEMPTS:
                raise
            time.sleep(BUSY_SECONDS / _WRITE_AHEAD_ATTEMPTS)
        else:
            if mode != "wal":
                raise ValueError("Pathbook needs a database in a file, on a disk of this machine.")
            return
