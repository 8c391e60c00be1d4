"""Reads with little overhead: statements go straight to the driver, over connections that are kept open for them."""

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

from pathbook.ledger.store.database.damage import damage_in

Parameters: TypeAlias = Mapping[str, object]
"""The parameters of a lookup, by name."""

_Columns = TypeVarTuple("_Columns")

_SQLITE: Final = sqlite.dialect(paramstyle="named")
_BEGIN: Final = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


class ReaderPool:
    """A pool of readers of one database, for many threads at once. A connection is kept open for the next reader.

    SQLAlchemy takes 20 microseconds for a statement, its pool takes 6, and its transaction 25. Here all of
    that takes 2. Rows are as the driver returns them: from SQLite, true is 1.
    """

    def __init__(self, engine: Engine) -> None:
        """Read over connections that the engine opens. They are closed when the engine is disposed of."""
        self._engine = engine
        self._kind = engine.dialect.name
        self._idle: deque[Reader] = deque()
        sqlalchemy.event.listen(engine, "engine_disposed", lambda _: self._close())

    def ask(self, lookup: Select[*_Columns], parameters: Parameters) -> list[tuple[*_Columns]]:
        """Return the rows that a lookup finds, at a snapshot of its own.

        A lookup is built once, when its module is loaded.

        Raises:
            sqlalchemy.exc.DBAPIError: the database fails.
            pathbook.ledger.store.database.damage.DatabaseDamagedError: the database is damaged.
        """
        with self._take() as reader:
            return reader.ask(lookup, parameters)

    @contextlib.contextmanager
    def consistent(self) -> Iterator["Reader"]:
        """Yield a reader whose lookups all see the snapshot of the first one. Raises as `ask` does."""
        with self._take() as reader:
            reader.cursor.execute(_BEGIN[self._kind])
            try:
                yield reader
            except self._engine.dialect.loaded_dbapi.Error:
                raise  # the connection is closed, and another error must not hide this one
            except BaseException:
                reader.cursor.execute("COMMIT")
                raise
            reader.cursor.execute("COMMIT")

    def give_back(self, reader: "Reader", error: BaseException | None) -> None:
        """Keep the connection of a reader that ended, unless the database raised an error."""
        driver_error = self._engine.dialect.loaded_dbapi.Error
        if not isinstance(error, driver_error):
            self._idle.append(reader)
            return
        connection = reader.cursor.connection
        damage = damage_in(self._engine, error)
        if damage is not None or self._engine.dialect.is_disconnect(error, connection, reader.cursor):
            self._engine.dispose()  # the other connections are then lost as well, or the file was replaced
        connection.close()
        if damage is not None:
            raise damage from error
        wrapped = DBAPIError.instance(None, None, error, driver_error, hide_parameters=True)
        raise wrapped from error

    def _take(self) -> "Reader":
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> "Reader":
        try:
            pooled = self._engine.raw_connection()
        except self._engine.dialect.loaded_dbapi.Error as error:
            if (damage := damage_in(self._engine, error)) is not None:
                raise damage from error
            raise
        connection = pooled.dbapi_connection
        assert connection is not None
        pooled.detach()
        cursor = _cursor_of_postgresql(connection) if self._kind == "postgresql" else connection.cursor()
        return Reader(self, self._kind, cursor)

    def _close(self) -> None:
        while self._idle:
            self._idle.pop().cursor.connection.close()


class Reader:
    """A connection for lookups, until the block ends."""

    __slots__ = ("_kind", "_pool", "cursor")

    def __init__(self, pool: ReaderPool, kind: str, cursor: DBAPICursor) -> None:
        self._pool, self._kind, self.cursor = pool, kind, cursor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._pool.give_back(self, error)

    def ask(self, lookup: Select[*_Columns], parameters: Parameters) -> list[tuple[*_Columns]]:
        """Return the rows that a lookup finds."""
        sql, constants = _compile(lookup, self._kind)
        self.cursor.execute(sql, {**constants, **parameters})
        return list(self.cursor.fetchall())


def _cursor_of_postgresql(connection: DBAPIConnection) -> DBAPICursor:
    """Return a cursor that begins no transactions by itself, and receives rows in binary form."""
    import psycopg  # noqa: PLC0415 - it takes a moment to load, and books in files do not need it
    from psycopg.types.numeric import Int8BinaryDumper  # noqa: PLC0415 - as above

    assert isinstance(connection, psycopg.Connection), connection
    connection.autocommit = True
    cursor = connection.cursor(binary=True)
    # By default the driver sends a number in the smallest type that holds it, and PostgreSQL makes a plan for
    # each type.
    cursor.adapters.register_dumper(int, Int8BinaryDumper)
    return cursor


@cache
def psycopg_dialect() -> Dialect:
    """Return SQLAlchemy's dialect for PostgreSQL. It takes a moment to load, so it is loaded when first needed."""
    return make_url("postgresql+psycopg://").get_dialect()()


@cache
def _compile(lookup: SelectBase, kind: str) -> tuple[str, Parameters]:
    """Return a lookup in the SQL of a kind of database, with the parameters that never change."""
    compiled = lookup.compile(dialect=_SQLITE if kind == "sqlite" else psycopg_dialect())
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}
