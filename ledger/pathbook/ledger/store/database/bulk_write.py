"""Statements that write many rows of a table at once, in the way that is fastest on each kind of database."""

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

_PREFIX = "key_"  # before parameters, because SQLAlchemy reserves the bare names of the columns


class Statement:
    """A statement that goes to the driver without SQLAlchemy, which takes twice as long with many rows.

    Each row has the fields named here, in this order. The statement puts the book before them. SQLite
    executes it once for each row. PostgreSQL gets all rows in one message, as one array per column, which is
    three times as fast.
    """

    def __init__(
        self, table: Table, fields: Sequence[str], write: Callable[[Columns], Write], *, key_length: int = 0
    ) -> None:
        """Keep the statement that `write` returns for the columns of the rows.

        If `key_length` is given, then of rows that share so many first fields only the last one is written.
        """
        self._table, self._fields, self._write, self._key_length = table, fields, write, key_length

    def execute(self, connection: Connection, book: str, rows: Iterable[Row]) -> None:
        """Execute the statement for each row. Without rows it does nothing."""
        if connection.dialect.name == "postgresql":
            self._execute_arrays(connection, book, list(rows))
            return
        parameters = [(book, *row) for row in rows]
        if not parameters:
            return
        sql, reorder = self._row_by_row
        if reorder is not None:
            parameters = list(map(reorder, parameters))
        connection.exec_driver_sql(sql, parameters)

    def _execute_arrays(self, connection: Connection, book: str, rows: list[Row]) -> None:
        if self._key_length:
            rows = list({row[: self._key_length]: row for row in rows}.values())
        if rows:
            columns = dict(zip(self._fields, map(list, zip(*rows, strict=True)), strict=True))
            connection.exec_driver_sql(self._with_arrays, {"book": book, **columns})

    @cached_property
    def _row_by_row(self) -> tuple[str, "itemgetter[Row] | None"]:
        """The statement for SQLite, and how a row is reordered for it. It is compiled when it is first needed."""
        names = ["book", *self._fields]
        columns: Columns = {name: bindparam(_PREFIX + name) for name in names}
        compiled = self._write(columns).compile(dialect=sqlite.dialect())
        placeholders = [name.removeprefix(_PREFIX) for name in compiled.positiontup or ()]
        return str(compiled), None if placeholders == names else itemgetter(*map(names.index, placeholders))

    @cached_property
    def _with_arrays(self) -> str:
        """The statement for PostgreSQL. It is compiled when it is first needed."""
        book: ColumnElement[object] = bindparam("book", type_=self._table.c.book.type)
        columns: Columns = {"book": book}
        if self._fields:
            arrays = [bindparam(name, type_=ARRAY(self._table.c[name].type)) for name in self._fields]
            rows = func.unnest(*arrays).table_valued(*self._fields).render_derived("given")
            columns.update({name: rows.c[name] for name in self._fields})
        sql = str(self._write(columns).compile(dialect=psycopg_dialect()))
        return re.sub(r"%\((\w+)\)s", r"%(\1)b", sql)  # binary arrays are twice as fast to write and to read


def insert_statement(table: Table) -> Statement:
    """Return a statement that inserts rows. They have all columns."""
    return Statement(table, table.columns.keys()[1:], lambda columns: _insert(table, columns))


def insert_missing_statement(table: Table) -> Statement:
    """Return a statement that inserts rows, except those whose primary key has a row. Rows have all columns."""
    return Statement(
        table, table.columns.keys()[1:], lambda columns: _insert(table, columns).on_conflict_do_nothing()
    )


def add_statement(table: Table) -> Statement:
    """Return a statement that inserts rows, or adds their other columns to the row with the same primary key."""
    key = table.primary_key.columns.keys()
    names = table.columns.keys()

    def write(columns: Columns) -> Insert:
        insert = _insert(table, columns)
        sums = {name: table.c[name] + insert.excluded[name] for name in names if name not in key}
        return insert.on_conflict_do_update(index_elements=key, set_=sums)

    return Statement(table, names[1:], write)


def put_statement(table: Table) -> Statement:
    """Return a statement that inserts rows, or replaces the other columns of the row with the same primary key."""
    key = table.primary_key.columns.keys()
    names = table.columns.keys()

    def write(columns: Columns) -> Insert:
        insert = _insert(table, columns)
        replaced = {name: insert.excluded[name] for name in names if name not in key}
        return insert.on_conflict_do_update(index_elements=key, set_=replaced)

    return Statement(table, names[1:], write)


def update_statement(table: Table, fields: Sequence[str]) -> Statement:
    """Return a statement that updates the rows that the primary key fields name, with the other fields."""
    key = [name for name in fields if table.c[name].primary_key]
    assert list(fields[: len(key)]) == key, fields

    def write(columns: Columns) -> Update:
        changed = {name: columns[name] for name in fields if name not in key}
        return table.update().where(*_matches(table, columns, key)).values(changed)

    return Statement(table, fields, write, key_length=len(key))


def clear_statement(table: Table, field: str) -> Statement:
    """Return a statement that sets a field to NULL in the rows that have a value."""

    def write(columns: Columns) -> Update:
        return table.update().where(*_matches(table, columns, [field])).values({field: null()})

    return Statement(table, [field], write)


def delete_statement(table: Table, fields: Sequence[str], *conditions: TextClause) -> Statement:
    """Return a statement that deletes the rows that have these values and meet the conditions."""

    def write(columns: Columns) -> Delete:
        return table.delete().where(*_matches(table, columns, fields), *conditions)

    return Statement(table, fields, write)


def _insert(table: Table, columns: Columns) -> postgresql.Insert:
    """Return an insert of one row of parameters, or of many rows of columns. SQLite shares PostgreSQL's syntax."""
    insert = postgresql.insert(table)
    if all(isinstance(value, BindParameter) for value in columns.values()):
        return insert.values(columns)
    return insert.from_select(list(columns), select(*columns.values()))


def _matches(table: Table, columns: Columns, fields: Sequence[str]) -> list[ColumnElement[bool]]:
    return [table.c[name] == columns[name] for name in ["book", *fields]]
