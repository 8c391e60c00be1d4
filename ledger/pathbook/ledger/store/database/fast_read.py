"""Reader without ceremony: statements given to the driver as they are, over connections kept at hand for them."""

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cache
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVarTuple

import sqlalchemy
from sqlalchemy import Dialect, Engine, Select, SelectBase, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError

Asked: TypeAlias = Mapping[str, object]
"""What is asked for, by the names of a lookup's parameters."""

_Columns = TypeVarTuple("_Columns")

_SQLITE: Final = sqlite.dialect(paramstyle="named")
_BEGIN: Final = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


class ReaderPool:
    """ReaderPool of one database, for many threads at once. A connection is kept for whoever comes next.

    What SQLAlchemy does around a statement takes 20 microseconds, its pool 6, and its transaction 25. Here all that
    is 2, and rows are as the driver gives them: to SQLite, true is 1.
    """

    def __init__(self, engine: Engine) -> None:
        """Read over connections as the engine opens them. They are closed when it is disposed of."""
        self._engine = engine
        self._kind = engine.dialect.name
        self._idle: deque[Reader] = deque()
        sqlalchemy.event.listen(engine, "engine_disposed", lambda _: self._close())

    def ask(self, lookup: Select[*_Columns], asked: Asked) -> list[tuple[*_Columns]]:
        """Return the rows that a lookup, made once where its module is loaded, finds as of a moment of its own.

        Raises:
            sqlalchemy.exc.DBAPIError: the database refuses.
        """
        with self._take() as reading:
            return reading.ask(lookup, asked)

    @contextlib.contextmanager
    def consistent(self) -> Iterator["Reader"]:
        """Ask anything, all of it as of the same moment, that of the first lookup. Raises: as `ask`."""
        with self._take() as reading:
            reading.cursor.execute(_BEGIN[self._kind])
            try:
                yield reading
            finally:
                reading.cursor.execute("COMMIT")

    def give_back(self, reading: "Reader", error: BaseException | None) -> None:
        """Keep the connection of a reading that ended, unless the database refused it something."""
        refused = self._engine.dialect.loaded_dbapi.Error
        if not isinstance(error, refused):
            self._idle.append(reading)
            return
        connection = reading.cursor.connection
        if self._engine.dialect.is_disconnect(error, connection, reading.cursor):
            self._engine.dispose()  # then so are all others
        connection.close()
        named = DBAPIError.instance(None, None, error, refused, hide_parameters=True)
        raise named from error

    def _take(self) -> "Reader":
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> "Reader":
        pooled = self._engine.raw_connection()
        connection = pooled.dbapi_connection
        assert connection is not None
        pooled.detach()
        cursor = _cursor_of_postgresql(connection) if self._kind == "postgresql" else connection.cursor()
        return Reader(self, self._kind, cursor)

    def _close(self) -> None:
        while self._idle:
            self._idle.pop().cursor.connection.close()


class Reader:
    """A connection to ask on, until the block ends."""

    __slots__ = ("_kind", "_pool", "cursor")

    def __init__(self, readings: ReaderPool, kind: str, cursor: DBAPICursor) -> None:
        self._pool, self._kind, self.cursor = readings, kind, cursor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._pool.give_back(self, error)

    def ask(self, lookup: Select[*_Columns], asked: Asked) -> list[tuple[*_Columns]]:
        """Return the rows that a lookup finds."""
        text, given = _written(lookup, self._kind)
        self.cursor.execute(text, {**given, **asked})
        return list(self.cursor.fetchall())


def _cursor_of_postgresql(connection: DBAPIConnection) -> DBAPICursor:
    """Return a cursor that begins no transactions of its own, and gets rows in binary form."""
    import psycopg  # noqa: PLC0415 -- takes a moment, and books in files have no need of it
    from psycopg.types.numeric import Int8BinaryDumper  # noqa: PLC0415 -- as above

    assert isinstance(connection, psycopg.Connection), connection
    connection.autocommit = True
    cursor = connection.cursor(binary=True)
    # Left alone, the driver tells of a number as small as it will go, and PostgreSQL plans for each size anew.
    cursor.adapters.register_dumper(int, Int8BinaryDumper)
    return cursor


@cache
def psycopg_dialect() -> Dialect:
    """Return what SQLAlchemy knows of PostgreSQL. It is loaded where there is one: that takes a moment."""
    return make_url("postgresql+psycopg://").get_dialect()()


@cache
def _written(lookup: SelectBase, kind: str) -> tuple[str, Asked]:
    """Return a lookup as a kind of database reads it, with the parameters that are always the same."""
    compiled = lookup.compile(dialect=_SQLITE if kind == "sqlite" else psycopg_dialect())
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}
