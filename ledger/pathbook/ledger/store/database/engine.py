"""Opening a database: its writers take turns, each read sees one snapshot, and its format is checked.

There are two kinds of database, and the rest of the program treats them alike. SQLite uses a file for each
purpose, and PostgreSQL uses a schema of one database for each.
"""

import contextlib
import sqlite3
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import sqlalchemy
from sqlalchemy import URL, Connection, Dialect, Engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateSchema

from pathbook.ledger.store.database.damage import PURPOSE, SCHEMAS, VERSION, schema_for, tell_damage
from pathbook.ledger.store.database.disposal import close_what_returns_late
from pathbook.ledger.store.database.file_turns import share_turns, taking_turns
from pathbook.ledger.store.database.open_files import OpenFiles, files_of, keep_files, require_unchanged
from pathbook.ledger.store.database.places import VIEWS_VERSION, views_schema

Purpose = Literal["events", "views"]
"""What a database is for: the log, which must be kept, or the views, which can be rebuilt from it."""

Database: TypeAlias = Engine
"""An open database, for rooms that pass it on."""

Transaction: TypeAlias = Connection
"""A transaction of a database, for rooms that pass it on."""

SQLITE_BUSY_TIMEOUT_S = 30
"""How long a writer waits for its turn before it fails. Writing a group of events takes far less."""

TRANSACTION_IDLE_TIMEOUT_S = 60
"""How long PostgreSQL lets a writer that stalls during its turn block the other writers."""

CONNECT_TIMEOUT_S = 5
"""How long each address of a PostgreSQL server may take to answer. The URL (``?connect_timeout=``), the
environment (``PGCONNECT_TIMEOUT``) or a service file can override it."""

SILENCE_TIMEOUT_S = 10
"""How long a PostgreSQL server may leave what was sent without a sign of life, before its connection counts as lost.
Parameters of the URL (``?tcp_user_timeout=``) override what follows from it."""

POOL_SIZE = 16
"""How many connections an engine keeps open. A thread holds one only while it reads or writes."""

ALL_BOOKS_TURN = ""
"""The turn of a writer to all books. While it lasts, no other writer has a turn."""

TEXT = sqlalchemy.Text().with_variant(sqlalchemy.Text(collation="C"), "postgresql")
"""Text that is ordered by its bytes, whatever the locale of the database is."""

_KEY_SEARCH_SETTINGS = {"plan_cache_mode": "force_generic_plan"} | dict.fromkeys(
    ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"), "off"
)
"""Settings that make PostgreSQL search by keys, as every statement here is meant to, and plan each statement once.

By default PostgreSQL picks sequential scans for small tables until it has statistics, above all for many keys
at once. It would also keep a plan that it made for an empty table.
"""

_BULK_SETTINGS = {"plan_cache_mode": "force_custom_plan"}
"""Settings that make PostgreSQL plan each statement for its rows and for the present size of the table."""

BULK_CACHE_KIB = 65_536
"""How much of an SQLite file a bulk writer caches in memory, in KiB."""

BULK_WAL_PAGES = 20_000
"""How many pages, some 80 MB, a bulk writer lets the write-ahead log grow to before a checkpoint copies them
to the file."""

_SIGNS_OF_LIFE = {
    "tcp_user_timeout": SILENCE_TIMEOUT_S * 1_000,
    "keepalives_idle": SILENCE_TIMEOUT_S // 2,
    "keepalives_interval": SILENCE_TIMEOUT_S // 5,
    "keepalives_count": 3,
}
"""Settings of the driver, so that a machine that vanished is noticed. By default that takes hours."""

_SYNCHRONOUS = {"events": "FULL", "views": "NORMAL"}
# An acknowledged event survives a power failure. Views may lose their last commits to one, and are then
# updated again.

_WRITE_AHEAD_LOG_ATTEMPTS = 300
_WRITES = "pathbook_writes"
_GIVEN_OPTIONS = "pathbook_given_options"


class UnsafeLogError(Exception):
    """A database is configured so that it may lose acknowledged events, and the operator did not allow that."""

    def __init__(self, settings: list[str]) -> None:
        super().__init__(
            f"The PostgreSQL server runs with {', '.join(settings)}, so it may lose acknowledged events."
            " Nothing was changed. Turn these settings on, or pass --allow-event-loss to accept the loss."
        )
        self.settings = settings


def open_engine(url_or_path: str | Path, *, purpose: Purpose, version: str = VIEWS_VERSION) -> Engine:
    """Open an engine on a database, for many threads and processes at once. Its first use creates what is missing.

    Args:
        url_or_path: the path of an SQLite file, or an SQLAlchemy URL: sqlite:///PATH, postgresql+psycopg://...
        purpose: `events` writes every commit to the disk before it counts; `views` leaves that to the operating system.
        version: of the views. PostgreSQL has a schema for each. For SQLite, the path names the file of the version.

    Raises:
        ValueError: the URL is malformed, or names another kind of database.
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
            "The database URL is malformed. Use the form postgresql+psycopg://USER@HOST/NAME."
        ) from error
    match url.get_backend_name():
        case "sqlite":
            return _open_sqlite(url, purpose, version=version)
        case "postgresql":
            return _open_postgresql(url, purpose, version)
        case other:
            raise ValueError(
                f"Pathbook does not open {other} databases. Use a path, sqlite:///PATH, or"
                " postgresql+psycopg://USER@HOST/NAME."
            )


def open_read_only(path: Path, *, immutable: bool, purpose: Purpose = "events") -> Engine:
    """Open an engine on an SQLite file that it cannot write. A missing file is an error of the first use.

    Args:
        path: the file.
        immutable: whether no process has the file open. Then nothing is created beside it. Otherwise SQLite may
            leave an empty -wal and a -shm there.
        purpose: as `open_engine`.
    """
    query = {"mode": "ro", "uri": "true", **({"immutable": "1"} if immutable else {})}
    name = f"file:{urllib.parse.quote(str(path.absolute()))}"
    return _open_sqlite(URL.create("sqlite", database=name, query=query), purpose)


def _open_sqlite(
    url: URL, purpose: Purpose, files: OpenFiles | None = None, version: str = VIEWS_VERSION
) -> Engine:
    engine = sqlalchemy.create_engine(
        url,
        pool_size=POOL_SIZE,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S, "isolation_level": None},
        execution_options={PURPOSE: purpose, VERSION: version},
        hide_parameters=True,
    )
    is_read_only = url.query.get("mode") == "ro"
    if url.database not in (None, "", ":memory:") and not is_read_only:
        path = Path(str(url.database)).absolute()
        _connect_to_one_file(engine, files or OpenFiles(path, is_log=purpose == "events"))
    tell_damage(engine)
    close_what_returns_late(engine)

    @sqlalchemy.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        if is_read_only:
            return
        try:
            _enable_write_ahead_log(connection)
        except UnicodeDecodeError as error:  # what SQLite says of a damaged schema quotes it
            raise sqlite3.DatabaseError("malformed database schema") from error
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[purpose]}")
        if purpose == "events":  # what is replaced or deleted of a person is overwritten; events never are
            connection.execute("PRAGMA secure_delete = ON")

    @sqlalchemy.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # By default Python's driver begins no transaction before a SELECT, so two reads would see two
        # snapshots. A transaction that reads first and writes later could not wait for its turn, because
        # SQLite fails at once if the file is locked.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _connect_to_one_file(engine: Engine, files: OpenFiles) -> None:
    """Let an engine connect only to its own file, which is made before the first connection, and never again."""
    keep_files(engine, files)

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def _connect(
        _dialect: Dialect, _entry: ConnectionPoolEntry, _where: list[str], how: dict[str, object]
    ) -> sqlite3.Connection:
        files.require_unchanged()
        files.make()
        return connect_to_file(files.path, "mode=rw", **how)


def connect_to_file(path: Path, query: str, **how: object) -> sqlite3.Connection:
    """Connect to an SQLite file, with the query of a file URI (https://www.sqlite.org/uri.html)."""
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    return connect(f"file:{urllib.parse.quote(bytes(path))}?{query}", uri=True, **how)


def url_of(engine: Engine) -> str:
    """Return the URL that opens an engine like this one. It contains the password and must not be shown."""
    given = engine.get_execution_options().get(_GIVEN_OPTIONS)
    url = engine.url.update_query_dict({"options": given}) if given else engine.url
    return url.render_as_string(hide_password=False)


def open_bulk_engine(engine: Engine) -> Engine:
    """Open an engine on the same database for a bulk writer. It is disposed of with the given engine.

    Each of its transactions writes pages all over an SQLite file. So the engine keeps more of them in memory and in
    the write-ahead log. Once a book has a million events, this halves the time of the writes. PostgreSQL plans each
    statement for the thousands of rows that it gets.
    """
    if engine.dialect.name == "postgresql":
        url = sqlalchemy.make_url(url_of(engine))
        bulk_engine = _open_postgresql(url, "views", version_for(engine), by_keys=False)
    else:
        bulk_engine = _open_sqlite(engine.url, "views", files_of(engine), version_for(engine))
        sqlalchemy.event.listen(bulk_engine, "connect", _enlarge_caches)
        if (files := files_of(engine)) is not None:
            share_turns(bulk_engine, files.path.parent)
    sqlalchemy.event.listen(engine, "engine_disposed", lambda _: bulk_engine.dispose())
    return bulk_engine


def _enlarge_caches(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute(f"PRAGMA cache_size = -{BULK_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {BULK_WAL_PAGES}")


def _open_postgresql(url: URL, purpose: Purpose, version: str, *, by_keys: bool = True) -> Engine:
    from psycopg.pq import Conninfo  # noqa: PLC0415 -- takes a moment, and books in files have no need of it

    schema = views_schema(version) if purpose == "views" else SCHEMAS[purpose]
    settings = {
        "search_path": schema,
        "jit": "off",  # where scans are off the planner takes one for so dear that it would compile it, for 0.1 s
        "lock_timeout": f"{SQLITE_BUSY_TIMEOUT_S}s",
        "idle_in_transaction_session_timeout": f"{TRANSACTION_IDLE_TIMEOUT_S}s",
        **(_KEY_SEARCH_SETTINGS if by_keys else _BULK_SETTINGS),
    }
    if purpose == "views":
        settings["synchronous_commit"] = "off"
    given = url.query.get("options", "")
    configured = {option.keyword: option.val for option in Conninfo.get_defaults()}[b"connect_timeout"]
    connect_timeout = configured.decode() if configured else str(CONNECT_TIMEOUT_S)
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    engine = sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        pool_size=POOL_SIZE,
        pool_pre_ping=True,  # a connection that was lost while it idled is replaced before its first statement
        connect_args={
            **{name: value for name, value in _SIGNS_OF_LIFE.items() if name not in url.query},
            "connect_timeout": url.query.get("connect_timeout", connect_timeout),
            "options": f"{given} {options}".strip(),
            "application_name": schema,  # so that other programs see which place is in use
        },
        execution_options={_GIVEN_OPTIONS: given, PURPOSE: purpose, VERSION: version},
        hide_parameters=True,
    )
    tell_damage(engine)
    close_what_returns_late(engine)
    return engine


@contextlib.contextmanager
def writing(engine: Engine, turn: str | None = ALL_BOOKS_TURN) -> Iterator[Connection]:
    """Run one transaction that may write. It waits for its turn, commits at the end, and rolls back on an exception.

    Args:
        engine: of the database to write to.
        turn: the book to write to. Writers of other books may write at the same time, if the database allows it. None
            takes no turn, for a writer whose rows have a key that is fence enough.

    Raises:
        sqlalchemy.exc.OperationalError: the turn did not come within SQLITE_BUSY_TIMEOUT_S, or the disk is full.
        FileChangedError: a file of the database was removed, replaced or cut. What was written is lost with it.
    """
    with taking_turns(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            require_unchanged(engine)
            if turn is not None and engine.dialect.name == "postgresql":
                _take_turn(connection, turn)
            yield connection
            require_unchanged(engine)  # nothing is added to a file that was cut
    require_unchanged(engine)


def _take_turn(connection: Connection, turn: str) -> None:
    """Wait for locks that last as long as the transaction: one of all books, and one of this book."""
    own_lock = "pg_advisory_xact_lock(hashtextextended(current_setting('search_path') || '/' || %(turn)s, 0))"
    shared_lock = "pg_advisory_xact_lock_shared(hashtextextended(current_setting('search_path') || '/', 0))"
    sql = f"SELECT {own_lock}" if turn == ALL_BOOKS_TURN else f"SELECT {shared_lock}, {own_lock}"
    connection.exec_driver_sql(sql, {"turn": turn})


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run one transaction that only reads. All its reads see one snapshot, taken at its first SELECT."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def create_schema(connection: Connection) -> None:
    """Create the schema that a PostgreSQL engine works in. An SQLite file needs none."""
    if connection.dialect.name == "postgresql":
        connection.execute(CreateSchema(schema_of(connection), if_not_exists=True))


def require_safety(engine: Engine) -> None:
    """Refuse a PostgreSQL server that may lose what it acknowledges. SQLite is configured not to.

    Raises:
        UnsafeLogError: the server may lose acknowledged events.
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


def version_for(engine: Engine) -> str:
    """Return the version of the views that an engine was opened for."""
    return str(engine.get_execution_options()[VERSION])


def place_name(engine: Engine) -> str:
    """Return the name of the file or schema that an engine works in."""
    files = files_of(engine)
    return files.path.name if files is not None else schema_for(engine)


def shown_name(engine: Engine) -> str:
    """Return a name of a database that can be shown: it contains no password."""
    return str(engine.url.database) if engine.dialect.name == "sqlite" else engine.url.render_as_string()


def schema_of(connection: Connection) -> str:
    """Return the schema that a connection to PostgreSQL works in."""
    return str(connection.exec_driver_sql("SHOW search_path").scalar_one())


def _enable_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch on SQLite's write-ahead log, so that readers and the writer do not block each other.

    The file remembers this mode. If several processes create a file at once, SQLite reports it as locked to
    all but the first, without letting them wait. So they try again.
    """
    for attempt in range(1, _WRITE_AHEAD_LOG_ATTEMPTS + 1):
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == _WRITE_AHEAD_LOG_ATTEMPTS:
                raise
            time.sleep(SQLITE_BUSY_TIMEOUT_S / _WRITE_AHEAD_LOG_ATTEMPTS)
        else:
            if mode != "wal":
                raise ValueError(
                    "Pathbook needs a database in a file on a local disk, because it uses SQLite's write-ahead"
                    " log. Give the path of such a file."
                )
            return
