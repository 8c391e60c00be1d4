"""Reads with little overhead: statements go straight to the driver, over connections that are kept open for them."""

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import TracebackType
from typing import Final, Literal, NamedTuple, Protocol, Self, TypeAlias, TypeVarTuple, cast

import sqlalchemy
from sqlalchemy import Connection, Dialect, Engine, Executable, Select, SelectBase
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

from pathbook.ledger.store.database.damage import damage_in

SLOW_CONNECT_S: Final = 1.0
"""If connecting failed only after this long, no other reader tries for as long as that took. Without this, callers that
queue for the few threads of a server would wait for each other's attempts, one after the other."""

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
        self._silence: Exception | None = None
        self._silent_until = 0.0
        self.losses = 0
        """How often a connection was lost. After a crash, what a database had not flushed may be gone."""
        sqlalchemy.event.listen(engine, "engine_disposed", lambda _: self._close())

    def ask(self, lookup: Select[*_Columns], parameters: Parameters) -> list[tuple[*_Columns]]:
        """Return the rows that a lookup finds, at a snapshot of its own.

        A lookup is built once, when its module is loaded.

        Raises:
            sqlalchemy.exc.DBAPIError: the database fails.
            pathbook.ledger.store.database.damage.DatabaseDamagedError: the database is damaged.
        """
        try:
            with self._take() as reader:
                return reader.ask(lookup, parameters)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        with self._take() as reader:  # on a fresh connection, because the idle ones were closed
            return reader.ask(lookup, parameters)

    @contextlib.contextmanager
    def consistent(self) -> Iterator["Reader"]:
        """Yield a reader whose lookups all see the snapshot of the first one. Raises as `ask` does."""
        with self._begun() as reader:
            try:
                yield reader
            except self._engine.dialect.loaded_dbapi.Error:
                raise  # the connection is closed, and another error must not hide this one
            except BaseException:
                reader.cursor.execute("COMMIT")
                raise
            reader.cursor.execute("COMMIT")

    def _begun(self) -> "Reader":
        """Return a reader that has begun a transaction, on a fresh connection if the idle ones were lost."""
        while True:
            reader = self._take()
            is_fresh = reader.is_fresh
            try:
                with contextlib.ExitStack() as stack:
                    stack.enter_context(reader)
                    reader.cursor.execute(_BEGIN[self._kind])
                    stack.pop_all()
            except DBAPIError as error:
                if is_fresh or not error.connection_invalidated:
                    raise
            else:
                return reader

    def give_back(self, reader: "Reader", error: BaseException | None) -> None:
        """Keep the connection of a reader that ended, unless the database raised an error."""
        driver_error = self._engine.dialect.loaded_dbapi.Error
        if not isinstance(error, driver_error):
            self._idle.append(reader)
            return
        connection = reader.cursor.connection
        damage = damage_in(self._engine, error)
        is_lost = self._engine.dialect.is_disconnect(error, connection, reader.cursor)
        if is_lost:
            self.losses += 1  # first: the next reader may already see the database after a crash
        if is_lost or damage is not None:
            self._close()  # the other connections are then lost as well, or the file is rebuilt
        connection.close()
        if damage is not None:
            raise damage from error
        raise _wrapped(error, driver_error, is_lost=is_lost) from error

    def _take(self) -> "Reader":
        try:
            reader = self._idle.pop()
        except IndexError:
            return self._open()
        reader.is_fresh = False
        return reader

    def _open(self) -> "Reader":
        pooled = self._connect()
        connection = pooled.dbapi_connection
        assert connection is not None
        pooled.detach()
        cursor = _cursor_of_postgresql(connection) if self._kind == "postgresql" else connection.cursor()
        return Reader(self, self._kind, cursor)

    def _connect(self) -> PoolProxiedConnection:
        """Connect, unless another reader has just waited in vain for a silent server."""
        driver_error = self._engine.dialect.loaded_dbapi.Error
        began = time.monotonic()
        if self._silence is not None and began < self._silent_until:
            raise _wrapped(self._silence, driver_error)
        try:
            return self._engine.raw_connection()
        except driver_error as error:
            if (damage := damage_in(self._engine, error)) is not None:
                raise damage from error
            took = time.monotonic() - began
            if took >= SLOW_CONNECT_S:
                self._silence, self._silent_until = error, time.monotonic() + took
            raise _wrapped(error, driver_error) from error

    def _close(self) -> None:
        with contextlib.suppress(IndexError):  # other threads take from it as well
            while True:
                self._idle.pop().cursor.connection.close()


class ReadSnapshot(Protocol):
    """One state of a database in which rows are looked up: over a reader, or in a transaction of SQLAlchemy."""

    @property
    def kind(self) -> str:
        """The kind of database, as SQLAlchemy names it."""

    def rows(self, lookup: SelectBase, parameters: Parameters, /) -> Iterable[tuple[object, ...]]:
        """Return the rows that a lookup finds."""


class TransactionSnapshot:
    """Rows as the transaction of a connection sees them, for what also writes or reads much at once."""

    def __init__(self, connection: Connection) -> None:
        """Read in the transaction that the connection has begun."""
        self._connection, self.kind = connection, connection.dialect.name

    def rows(self, lookup: SelectBase, parameters: Parameters) -> Iterator[tuple[object, ...]]:
        """Yield the rows that a lookup finds."""
        assert isinstance(lookup, Executable), lookup  # so all lookups are, which their type does not say
        yield from self._connection.execute(lookup, parameters)


class Reader:
    """A connection for lookups, until the block ends. Within `ReaderPool.consistent` it is a ReadSnapshot."""

    __slots__ = ("_pool", "cursor", "is_fresh", "kind")

    def __init__(self, pool: ReaderPool, kind: str, cursor: DBAPICursor) -> None:
        self._pool, self.kind, self.cursor = pool, kind, cursor
        self.is_fresh = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._pool.give_back(self, error)

    def ask(self, lookup: Select[*_Columns], parameters: Parameters) -> list[tuple[*_Columns]]:
        """Return the rows that a lookup finds."""
        return cast("list[tuple[*_Columns]]", self.rows(lookup, parameters))

    def rows(self, lookup: SelectBase, parameters: Parameters) -> list[tuple[object, ...]]:
        """Return the rows that a lookup finds, whose types the lookup does not tell."""
        compiled = _compile(lookup, self.kind)
        values = {**compiled.constants, **parameters}
        self.cursor.execute(
            compiled.sql, values if compiled.order is None else [values[name] for name in compiled.order]
        )
        return list(self.cursor.fetchall())


def _wrapped(error: Exception, driver_error: type[Exception], *, is_lost: bool = False) -> Exception:
    """Return SQLAlchemy's exception for one of the driver."""
    return DBAPIError.instance(
        None, None, error, driver_error, hide_parameters=True, connection_invalidated=is_lost
    )


def _cursor_of_postgresql(connection: DBAPIConnection) -> DBAPICursor:
    """Return a cursor that begins no transactions by itself, and receives rows in binary form."""
    import psycopg  # noqa: PLC0415 - it takes a moment to load, and books in files do not need it
    from psycopg.types.numeric import Int8BinaryDumper  # noqa: PLC0415 - as above

    assert isinstance(connection, psycopg.Connection), connection
    connection.autocommit = True
    # It takes numbered parameters as PostgreSQL does. The usual cursor would translate them, for each execution of
    # a statement of more than 4,096 characters. That took a tenth of a path.
    connection.cursor_factory = psycopg.RawCursor
    cursor = connection.cursor(binary=True)
    # By default the driver sends a number in the smallest type that holds it, and PostgreSQL makes a plan for
    # each type.
    cursor.adapters.register_dumper(int, Int8BinaryDumper)
    return cursor


@cache
def psycopg_dialect(parameters: Literal["pyformat", "numeric_dollar"] = "pyformat") -> Dialect:
    """Return SQLAlchemy's dialect for PostgreSQL, with parameters by name or by number.

    It takes a moment to load, so it is loaded when first needed.
    """
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg  # noqa: PLC0415 - it takes a moment to load

    made: Dialect = PGDialect_psycopg(paramstyle=parameters)  # type: ignore[no-untyped-call]  # it has no types
    return made


class _Compiled(NamedTuple):
    """A lookup in the SQL of a kind of database, with the parameters that never change.

    Parameters go by name, or in this order.
    """

    sql: str
    constants: Parameters
    order: list[str] | None


@cache
def _compile(lookup: SelectBase, kind: str) -> _Compiled:
    """Return a compiled lookup."""
    if kind == "sqlite":
        compiled, order = lookup.compile(dialect=_SQLITE), None
    else:
        compiled = lookup.compile(dialect=psycopg_dialect("numeric_dollar"))
        order = compiled.positiontup
        assert order is not None, compiled
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return _Compiled(str(compiled), constants, order)
