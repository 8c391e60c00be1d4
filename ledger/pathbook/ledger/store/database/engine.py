"""Opening a database: its writers take turns, its readers see one moment, its format is known.

Two kinds are known, each as good as the other to the rest of the house: SQLite, a file for each purpose, and
PostgreSQL, a schema of one database for each.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, MetaData
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateSchema

Purpose = Literal["events", "views"]
"""What a database is for: the log, which must be kept, or the views, which can be rebuilt from it."""

SQLITE_BUSY_TIMEOUT_S = 30
"""How long a writer waits for its turn before it fails: far longer than a group of events takes to write."""

TRANSACTION_IDLE_TIMEOUT_S = 60
"""How long PostgreSQL lets a writer that stopped amid its turn keep the others waiting."""

CONNECT_TIMEOUT_S = 10
"""How long each address of a PostgreSQL may take to answer at all, unless its URL (``?connect_timeout=``), the
environment (``PGCONNECT_TIMEOUT``) or a service file says otherwise."""

POOL_SIZE = 16
"""The connections an engine keeps open: a thread holds one only while it reads or writes."""

EVERYBODY = ""
"""The turn of one who writes to all books: while it lasts, no other writer has one."""

SCHEMAS = {"events": "pathbook_events", "views": "pathbook_views"}
"""The schema of each purpose in a PostgreSQL database."""

TEXT = sqlalchemy.Text().with_variant(sqlalchemy.Text(collation="C"), "postgresql")
"""Text in the order of its bytes, wherever a database was set up."""

_BY_KEYS = {"plan_cache_mode": "force_generic_plan"} | dict.fromkeys(
    ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"), "off"
)
"""Has PostgreSQL find rows by their keys, as all statements here mean it to, and plan for that once.

While a table is small, and until its statistics are made, it would rather read all of it, above all where it is given
many keys; and what it planned for an empty table it would keep to.
"""

_AS_IT_IS = {"plan_cache_mode": "force_custom_plan"}
"""Has it plan each statement anew, for the rows it is given and the table as it is."""

BULK_CACHE_KIB = 65_536
"""How much of an SQLite file whoever writes much of it keeps in memory, in KiB."""

BULK_WAL_PAGES = 20_000
"""How many pages they let the log ahead of the file grow to, some 80 MB, before these are copied into the file."""

_SYNCHRONOUS = {"events": "FULL", "views": "NORMAL"}
# An acknowledged event outlives a power cut. Views may lose their last commits to it, and are carried on.

_WRITE_AHEAD_ATTEMPTS = 300
_WRITES = "pathbook_writes"
_GIVEN_OPTIONS = "pathbook_given_options"


class UnknownFormatError(Exception):
    """A database is in format `found`, and this program reads format `known` only."""

    def __init__(self, database: str, found: int | str, known: int | str) -> None:
        super().__init__(
            f"{database} is in format {found}, and this Pathbook reads format {known}. Nothing was changed:"
            f" open it with a Pathbook that reads format {found}."
        )
        self.found = found
        self.known = known


class UnsafeLogError(Exception):
    """A database is set up to acknowledge events that it may lose, and nobody said that this is meant."""

    def __init__(self, settings: list[str]) -> None:
        super().__init__(
            f"This PostgreSQL runs with {', '.join(settings)}: it may lose events it has acknowledged. Nothing was"
            " changed. Set it to on, or say --allow-event-loss if these events may be lost."
        )
        self.settings = settings


def open_engine(url_or_path: str | Path, *, purpose: Purpose) -> Engine:
    """An engine on a database, for many threads and processes at once; its first use makes what is missing.

    Args:
        url_or_path: the path of an SQLite file, or an SQLAlchemy URL: sqlite:///PATH, postgresql+psycopg://...
        purpose: `events` has every commit on the disk before it counts, `views` leaves that to the system.

    Raises:
        ValueError: the URL is malformed, or that of another kind of database.
    """
    is_url = isinstance(url_or_path, str) and "://" in url_or_path
    try:
        url = (
            sqlalchemy.make_url(str(url_or_path))
            if is_url
            else URL.create("sqlite", database=str(url_or_path))
        )
    except sqlalchemy.exc.ArgumentError as error:
        raise ValueError(
            "The database's URL cannot be read: give postgresql+psycopg://USER@HOST/NAME."
        ) from error
    match url.get_backend_name():
        case "sqlite":
            return _open_sqlite(url, purpose)
        case "postgresql":
            return _open_postgresql(url, purpose)
        case other:
            raise ValueError(
                f"Pathbook does not open {other}: give a path, sqlite:///PATH, or postgresql+psycopg://..."
            )


def _open_sqlite(url: URL, purpose: Purpose) -> Engine:
    engine = sqlalchemy.create_engine(
        url,
        pool_size=POOL_SIZE,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S, "isolation_level": None},
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


def url_of(engine: Engine) -> str:
    """Return the URL that opens an engine like this one, password and all: not to be shown."""
    given = engine.get_execution_options().get(_GIVEN_OPTIONS)
    url = engine.url.update_query_dict({"options": given}) if given else engine.url
    return url.render_as_string(hide_password=False)


def open_bulk_engine(engine: Engine) -> Engine:
    """Open an engine on the same database for whoever alone writes much of it; it is disposed of with the other.

    Pages all over an SQLite file are written again by one such transaction after another. Kept in memory, and in the
    log ahead of the file, they take half the time once a book has a million events. PostgreSQL plans each statement
    with its thousands of rows in sight.
    """
    if engine.dialect.name == "postgresql":
        another = _open_postgresql(sqlalchemy.make_url(url_of(engine)), "views", by_keys=False)
    else:
        another = _open_sqlite(engine.url, "views")
        sqlalchemy.event.listen(another, "connect", _keep_much)
    sqlalchemy.event.listen(engine, "engine_disposed", lambda _: another.dispose())
    return another


def _keep_much(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute(f"PRAGMA cache_size = -{BULK_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {BULK_WAL_PAGES}")


def _open_postgresql(url: URL, purpose: Purpose, *, by_keys: bool = True) -> Engine:
    from psycopg.pq import Conninfo  # noqa: PLC0415 -- takes a moment, and books in files have no need of it

    settings = {
        "search_path": SCHEMAS[purpose],
        "lock_timeout": f"{SQLITE_BUSY_TIMEOUT_S}s",
        "idle_in_transaction_session_timeout": f"{TRANSACTION_IDLE_TIMEOUT_S}s",
        **(_BY_KEYS if by_keys else _AS_IT_IS),
    }
    if purpose == "views":
        settings["synchronous_commit"] = "off"
    given = url.query.get("options", "")
    told_elsewhere = {option.keyword: option.val for option in Conninfo.get_defaults()}[b"connect_timeout"]
    patience = told_elsewhere.decode() if told_elsewhere else str(CONNECT_TIMEOUT_S)
    told = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        pool_size=POOL_SIZE,
        connect_args={
            "connect_timeout": url.query.get("connect_timeout", patience),
            "options": f"{given} {told}".strip(),
            "application_name": "pathbook",
        },
        execution_options={_GIVEN_OPTIONS: given},
        hide_parameters=True,
    )


@contextlib.contextmanager
def writing(engine: Engine, turn: str | None = EVERYBODY) -> Iterator[Connection]:
    """One transaction that may write: it waits its turn, commits at the end, rolls back on an exception.

    Args:
        engine: of the database to write to.
        turn: the book that is written to; writers of other books may write at the same time, if the database
            lets them. None takes no turn, where a key is fence enough.

    Raises:
        sqlalchemy.exc.OperationalError: its turn did not come within SQLITE_BUSY_TIMEOUT_S, or the disk is full.
    """
    with engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            if turn is not None and engine.dialect.name == "postgresql":
                _take_turn(connection, turn)
            yield connection


def _take_turn(connection: Connection, turn: str) -> None:
    """Wait for locks that go with the transaction: of all books together, and of the one."""
    own = "pg_advisory_xact_lock(hashtextextended(current_setting('search_path') || '/' || %(turn)s, 0))"
    everybody = "pg_advisory_xact_lock_shared(hashtextextended(current_setting('search_path') || '/', 0))"
    sql = f"SELECT {own}" if turn == EVERYBODY else f"SELECT {everybody}, {own}"
    connection.exec_driver_sql(sql, {"turn": turn})


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads: all it sees is of one moment, that of its first SELECT."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def create_tables(engine: Engine, tables: MetaData, *, format_number: int) -> None:
    """Create the tables in a new database and mark it with their format (1, 2, ...); else read the mark.

    Raises:
        UnknownFormatError: the database bears another mark.
    """
    with reading(engine) as connection:
        found = _format_of(connection)
    if found == 0:
        with writing(engine) as connection:
            found = _format_of(connection)  # another process may have been first
            if found == 0:
                create_schema(connection)
                tables.create_all(connection)
                _mark_format(connection, format_number)
                return
    if found != format_number:
        raise UnknownFormatError(_name_of(engine), found, format_number)


def create_schema(connection: Connection) -> None:
    """Make the schema that a PostgreSQL engine works in; an SQLite file needs none."""
    if connection.dialect.name == "postgresql":
        connection.execute(CreateSchema(_schema_of(connection), if_not_exists=True))


def require_safety(engine: Engine) -> None:
    """Refuse a PostgreSQL that acknowledges what it may lose. SQLite is told by us not to.

    Raises:
        UnsafeLogError: it does.
    """
    if engine.dialect.name != "postgresql":
        return
    with reading(engine) as connection:
        off = [
            f"{name}=off"
            for name in ("fsync", "synchronous_commit", "full_page_writes")
            if connection.exec_driver_sql(f"SHOW {name}").scalar_one() == "off"
        ]
    if off:
        raise UnsafeLogError(off)


def _name_of(engine: Engine) -> str:
    """Name a database to a person, without its password."""
    return str(engine.url.database) if engine.dialect.name == "sqlite" else engine.url.render_as_string()


def _schema_of(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SHOW search_path").scalar_one())


def _format_of(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    # a schema has no number of its own, but a comment
    comment = connection.exec_driver_sql(
        "SELECT obj_description(to_regnamespace(%(schema)s), 'pg_namespace')",
        {"schema": _schema_of(connection)},
    ).scalar()
    return int(str(comment).removeprefix(_FORMAT)) if comment else 0


def _mark_format(connection: Connection, number: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")
    else:
        connection.exec_driver_sql(f"COMMENT ON SCHEMA {_schema_of(connection)} IS '{_FORMAT}{number}'")


_FORMAT = "Pathbook, format "


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
            time.sleep(SQLITE_BUSY_TIMEOUT_S / _WRITE_AHEAD_ATTEMPTS)
        else:
            if mode != "wal":
                raise ValueError("Pathbook needs a database in a file, on a disk of this machine.")
            return
