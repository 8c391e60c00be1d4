"""Statements that write many rows of a table at once, in the way that each kind of database is quickest at."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import TypeAlias

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Connection,
    Delete,
    Insert,
    Table,
    TextClause,
    Update,
    bindparam,
    func,
    null,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from pathbook.ledger.store.database.fast_read import psycopg_dialect

Write: TypeAlias = Insert | Update | Delete
Columns: TypeAlias = dict[str, ColumnElement[object]]
Row: TypeAlias = tuple[object, ...]

_KEY = "key_"  # before the name of a column that says which rows are meant


class Statement:
    """A statement given to the driver as it is: SQLAlchemy's own way with many rows takes twice as long.

    Its rows have the fields named here, in this order; the book they belong to goes before them. SQLite executes
    it for row after row. PostgreSQL is sent all rows in one message, an array a column: three times as fast.
    """

    def __init__(
        self, table: Table, fields: Sequence[str], write: Callable[[Columns], Write], *, last: int = 0
    ) -> None:
        """Take what to write, given the columns of the rows; of those with the same first ``last`` fields, the last."""
        self._table, self._fields, self._write, self._last = table, fields, write, last

    def execute(self, connection: Connection, book: str, rows: Iterable[Row]) -> None:
        """Execute it for each row, if there is one."""
        if connection.dialect.name == "postgresql":
            self._execute_with_arrays(connection, book, list(rows))
            return
        parameters = [(book, *row) for row in rows]
        if not parameters:
            return
        sql, arrange = self._row_by_row
        if arrange is not None:
            parameters = list(map(arrange, parameters))
        connection.exec_driver_sql(sql, parameters)

    def _execute_with_arrays(self, connection: Connection, book: str, rows: list[Row]) -> None:
        if self._last:
            rows = list({row[: self._last]: row for row in rows}.values())
        if rows:
            columns = dict(zip(self._fields, map(list, zip(*rows, strict=True)), strict=True))
            connection.exec_driver_sql(self._with_arrays, {"book": book, **columns})

    @cached_property
    def _row_by_row(self) -> tuple[str, "itemgetter[Row] | None"]:
        """The statement for SQLite, and how a row is arranged for it. It is made when SQLite first needs it."""
        arranged = ["book", *self._fields]
        given: Columns = {name: bindparam(_KEY + name) for name in arranged}
        compiled = self._write(given).compile(dialect=sqlite.dialect())
        taken = [name.removeprefix(_KEY) for name in compiled.positiontup or ()]
        return str(compiled), None if taken == arranged else itemgetter(*map(arranged.index, taken))

    @cached_property
    def _with_arrays(self) -> str:
        """The statement for PostgreSQL. It is made when PostgreSQL first needs it."""
        book: ColumnElement[object] = bindparam("book", type_=self._table.c.book.type)
        given: Columns = {"book": book}
        if self._fields:
            arrays = [bindparam(name, type_=ARRAY(self._table.c[name].type)) for name in self._fields]
            rows = func.unnest(*arrays).table_valued(*self._fields).render_derived("given")
            given.update({name: rows.c[name] for name in self._fields})
        sql = str(self._write(given).compile(dialect=psycopg_dialect()))
        return re.sub(r"%\((\w+)\)s", r"%(\1)b", sql)  # binary, which is twice as fast to write and to read


def inserting(table: Table) -> Statement:
    """Insert rows, each with all columns."""
    return Statement(table, table.columns.keys()[1:], lambda given: _insert(table, given))


def adding(table: Table) -> Statement:
    """Add the numbers that are not of the primary key to those that are there, if there are any."""
    key = table.primary_key.columns.keys()
    names = table.columns.keys()

    def write(given: Columns) -> Insert:
        insert = _insert(table, given)
        sums = {name: table.c[name] + insert.excluded[name] for name in names if name not in key}
        return insert.on_conflict_do_update(index_elements=key, set_=sums)

    return Statement(table, names[1:], write)


def amending(table: Table, fields: Sequence[str]) -> Statement:
    """Give the fields that are not of the primary key to the row that the others name."""
    key = [name for name in fields if table.c[name].primary_key]
    assert list(fields[: len(key)]) == key, fields

    def write(given: Columns) -> Update:
        values = {name: given[name] for name in fields if name not in key}
        return table.update().where(*_meant(table, given, key)).values(values)

    return Statement(table, fields, write, last=len(key))


def emptying(table: Table, field: str) -> Statement:
    """Take a field from the rows that have it."""

    def write(given: Columns) -> Update:
        return table.update().where(*_meant(table, given, [field])).values({field: null()})

    return Statement(table, [field], write)


def removing(table: Table, fields: Sequence[str], *conditions: TextClause) -> Statement:
    """Remove the rows with these fields that meet the conditions."""

    def write(given: Columns) -> Delete:
        return table.delete().where(*_meant(table, given, fields), *conditions)

    return Statement(table, fields, write)


def _insert(table: Table, given: Columns) -> postgresql.Insert:
    """Insert one row of parameters, or many rows of columns. SQLite says it as PostgreSQL does."""
    insert = postgresql.insert(table)
    if all(isinstance(value, BindParameter) for value in given.values()):
        return insert.values(given)
    return insert.from_select(list(given), select(*given.values()))


def _meant(table: Table, given: Columns, fields: Sequence[str]) -> list[ColumnElement[bool]]:
    return [table.c[name] == given[name] for name in ["book", *fields]]
