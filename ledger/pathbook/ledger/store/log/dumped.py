"""Dumps of a PostgreSQL log, as pg_restore prints them: read into a file to check them, or into a database to go on.

A printed dump is SQL, and has the rows of each table between ``COPY ... FROM stdin;`` and a line
that ends them.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, exc
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.damage import SCHEMAS
from pathbook.ledger.store.database.engine import open_engine, writing
from pathbook.ledger.store.database.places import SCHEMA_PREFIX
from pathbook.ledger.store.log.code_key import CODE_KEY
from pathbook.ledger.store.log.event_table import EVENT, EVENT_HASHES
from pathbook.ledger.store.log.incarnation import INCARNATION
from pathbook.ledger.store.log.notes import NOTE
from pathbook.ledger.store.log.stream import SQLAlchemyAggregateRecorder, persistence_errors

if TYPE_CHECKING:  # it takes a moment to load, and books in files do not need it
    import psycopg

ROWS_AT_ONCE: Final = 5_000
"""How many rows are in memory at once while a dump is read into a file."""

_COPY: Final = re.compile(rb"COPY (?P<table>[\w.\"]+) \((?P<columns>[^)]*)\) FROM stdin;\n?")
_SKIPPED: Final = re.compile(rb"(\\(un)?restrict |SET |SELECT pg_catalog\.set_config|--|\n)")
# Lines for psql, settings that a PostgreSQL of another version may not have, comments and blanks.

_ESCAPES: Final = {
    "\\\\": "\\", "\\b": "\b", "\\f": "\f", "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\v": "\v",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\.")
_READ_BACK: Final = {table.name: table for table in (EVENT, EVENT_HASHES, NOTE, CODE_KEY, INCARNATION)}


class DamagedDumpError(Exception):
    """A printed dump ends within the rows of a table, or has a row that is none."""


class Rows(msgspec.Struct, frozen=True):
    """The rows of one table. They must be read before the dump goes on.

    Attributes:
        statement: the COPY statement, without its line break.
        table: its name without the schema.
        columns: their names, in the order of the rows.
        lines: one for each row, in the text format of COPY.
    """

    statement: bytes
    table: str
    columns: tuple[str, ...]
    lines: Iterator[bytes]


def parse_dump(lines: Iterable[bytes]) -> Iterator[bytes | Rows]:
    """Yield the statements of a printed dump, several in one text, and the rows of its tables.

    Raises:
        DamagedDumpError: the dump ends within the rows of a table.
    """
    rest, sql = iter(lines), b""
    for line in rest:
        if (copy := _COPY.fullmatch(line)) is not None:
            if sql:
                yield sql
            sql = b""
            columns = tuple(name.strip().strip('"') for name in copy["columns"].decode().split(","))
            table = copy["table"].decode().rpartition(".")[2].strip('"')
            yield Rows(line.strip(), table, columns, _rows(rest, table))
        elif sql or not _SKIPPED.match(line):
            sql += line
            if line.endswith(b";\n"):
                yield sql
                sql = b""
    if sql:
        yield sql


def _rows(rest: Iterator[bytes], table: str) -> Iterator[bytes]:
    for line in rest:
        if line == b"\\.\n":
            return
        yield line
    raise DamagedDumpError(f"it ends within the rows of table {table}")


def load_dump(lines: Iterable[bytes], path: Path, progress: Callable[[int], None]) -> dict[str, int]:
    """Read the rows of a printed dump into a new SQLite file. Return the number of rows of each table of the dump.

    Only the tables that this program knows are read. The file is for checking the dump, and is not kept.
    ``progress`` is called with the number of rows so far.

    Raises:
        DamagedDumpError: the dump cannot be read.
        OSError: the file cannot be written.
    """
    engine = open_engine(path, purpose="views")  # nothing is lost if the machine stops
    try:
        with persistence_errors():
            SQLAlchemyAggregateRecorder(engine)
            with writing(engine) as connection:
                for table in (CODE_KEY, INCARNATION):
                    connection.execute(CreateTable(table))
    finally:
        engine.dispose()
    counts: dict[str, int] = {}
    written = sqlite3.connect(path, isolation_level=None)
    try:
        written.execute("PRAGMA journal_mode = DELETE")
        written.execute("PRAGMA synchronous = OFF")
        written.execute("BEGIN")
        for part in parse_dump(lines):
            if isinstance(part, Rows):
                counts[part.table] = _load(written, part, sum(counts.values()), progress)
        written.execute("COMMIT")
    except sqlite3.Error as error:
        raise OSError(f"{path} cannot be written: {error}.") from error
    finally:
        written.close()
    return counts


def _load(connection: sqlite3.Connection, rows: Rows, before: int, progress: Callable[[int], None]) -> int:
    table, count = _READ_BACK.get(rows.table), 0
    if table is None:
        return sum(1 for _ in rows.lines)
    binary = [isinstance(table.c[name].type, sa.LargeBinary) for name in rows.columns]
    names, marks = ", ".join(rows.columns), ", ".join("?" * len(rows.columns))
    insert = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own columns
    chunk: list[list[object]] = []
    for line in rows.lines:
        chunk.append(_row(line, binary))
        if len(chunk) == ROWS_AT_ONCE:
            connection.executemany(insert, chunk)
            count, chunk = count + len(chunk), []
            progress(before + count)
    connection.executemany(insert, chunk)
    return count + len(chunk)


def _row(line: bytes, binary: list[bool]) -> list[object]:
    try:
        cells = line.decode("utf-8").removesuffix("\n").split("\t")
        return [_cell(text, is_bytes) for text, is_bytes in zip(cells, binary, strict=True)]
    except ValueError as error:
        raise DamagedDumpError(f"a row cannot be read: {error}") from error


def _cell(text: str, is_bytes: bool) -> object:  # noqa: FBT001 - the type of a column
    if text == "\\N":
        return None
    if is_bytes:
        return bytes.fromhex(text.removeprefix("\\\\x"))
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[0], found[0][1:]), text) if "\\" in text else text


def restore_dump(
    engine: Engine,
    lines: Iterable[bytes],
    finish: Callable[[Connection], None],
    progress: Callable[[int], None],
) -> None:
    """Execute a printed dump of a log in one transaction, then ``finish`` in the same. All of it is done, or nothing.

    The schema of the log may exist, if it is empty. ``progress`` is called with the number of rows so far.

    Raises:
        DamagedDumpError: the dump cannot be read.
        eventsourcing.persistence.PersistenceError: the database refuses.
    """
    create_schema = f"CREATE SCHEMA {SCHEMAS['events']};".encode()
    with persistence_errors(), writing(engine) as connection:
        exists = connection.exec_driver_sql(
            "SELECT to_regnamespace(%(name)s) IS NOT NULL", {"name": SCHEMAS["events"]}
        ).scalar_one()
        driver = cast("psycopg.Connection[object]", connection.connection.driver_connection)
        try:
            _execute(driver, lines, skipped=create_schema if exists else b"", progress=progress)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.DatabaseError(None, None, error) from error
        finish(connection)


def _execute(
    driver: "psycopg.Connection[object]",
    lines: Iterable[bytes],
    *,
    skipped: bytes,
    progress: Callable[[int], None],
) -> None:
    done = 0
    with driver.cursor() as cursor:
        for part in parse_dump(lines):
            if not isinstance(part, Rows):
                if part.strip() != skipped:
                    cursor.execute(part)
                continue
            with cursor.copy(part.statement) as copy:
                for line in part.lines:
                    copy.write(line)
                    done += 1
                    if done % ROWS_AT_ONCE == 0:
                        progress(done)


def holds_nothing(engine: Engine) -> bool:
    """Tell whether the schemas of Pathbook in a PostgreSQL database have no tables, or are missing."""
    with persistence_errors(), engine.connect() as connection:
        tables = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE (nspname = %(log)s OR starts_with(nspname::text, %(views)s)) AND relkind IN ('r', 'p')",
            {"log": SCHEMAS["events"], "views": SCHEMA_PREFIX},
        )
        return int(tables.scalar_one()) == 0


def connection_words(engine: Engine) -> tuple[str, str, int]:
    """Return how PostgreSQL's own programs connect: the words without the password, the password, and the version.

    The version is the major one of the server.

    Raises:
        eventsourcing.persistence.PersistenceError: the database cannot be reached.
    """
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 -- takes a moment, and books in files have no need of it

    _, words = engine.dialect.create_connect_args(engine.url)
    password = str(words.pop("password", "") or "")
    words.pop("context", None)
    with persistence_errors(), engine.connect() as connection:
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    return make_conninfo(**words), password, version


def connections_of_pathbook(engine: Engine) -> int:
    """Return how many other connections of Pathbook to the database are open, as far as this user may see."""
    with persistence_errors(), engine.connect() as connection:
        open_ones = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND starts_with(application_name, 'pathbook') AND pid <> pg_backend_pid()"
        )
        return int(open_ones.scalar_one())


def take_statistics(connection: Connection) -> None:
    """Have PostgreSQL take the statistics of the events, in the caller's transaction. No dump holds them."""
    connection.exec_driver_sql(f"ANALYZE {EVENT.name}")
