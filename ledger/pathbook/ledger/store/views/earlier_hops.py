"""Loads the hops before a hop from the views, for runs of which the last hop is undone."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy import ARRAY, Connection, bindparam

from pathbook.ledger.hops import Hop
from pathbook.ledger.store.views.tables import RUN, HopColumns, last_hop

_Key = tuple[int, int, int]
"""Batch, ``first`` and ``valid_from`` of a row of RUN."""

_KEY = (RUN.c.batch, RUN.c.first, RUN.c.valid_from)
_COLUMNS = tuple(RUN.c[name] for name in HopColumns._fields)

ROW = sa.select(*_COLUMNS).where(
    RUN.c.book == bindparam("book"), *(column == bindparam(column.name) for column in _KEY)
)
"""One row. SQLite would read the whole table to find several by a part of their keys each."""

_given = (
    sa.func.unnest(*(bindparam(column.name, type_=ARRAY(column.type)) for column in _KEY))
    .table_valued(*(sa.column(column.name, column.type) for column in _KEY))
    .render_derived("given")
)
# The limit has PostgreSQL search by the whole key, whatever it knows of the table.
_FOUND = (
    sa.select(*_COLUMNS)
    .where(RUN.c.book == bindparam("book"), *(column == _given.c[column.name] for column in _KEY))
    .limit(sa.literal_column("1"))
    .lateral()
)
_ROWS = sa.select(*(_given.c[column.name] for column in _KEY), *_FOUND.c).join_from(_given, _FOUND, sa.true())


def load_earlier(connection: Connection, book: str, hops: Iterable[tuple[int, Hop]]) -> bool:
    """Load the hop before each of these hops, which come with their batches. Return whether the views hold all of them.

    A hop that was loaded from the views names a row that is kept for ever. So the views lack it only while they are
    being rebuilt, or when they are damaged.
    """
    by_row: dict[_Key, list[Hop]] = {}
    for batch, hop in hops:
        by_row.setdefault((batch, hop.origin, hop.position), []).append(hop)
    for key, columns in _rows(connection, book, sorted(by_row)):
        earlier = last_hop(columns)
        for hop in by_row.pop(key):
            hop.earlier = earlier
    return not by_row


def _rows(connection: Connection, book: str, keys: list[_Key]) -> Iterator[tuple[_Key, HopColumns]]:
    names = [column.name for column in _KEY]
    if connection.dialect.name == "postgresql":
        arrays = dict(zip(names, map(list, zip(*keys, strict=True)), strict=True)) if keys else {}
        for batch, first, valid_from, *columns in connection.execute(_ROWS, {"book": book, **arrays}):
            yield (batch, first, valid_from), HopColumns._make(columns)
        return
    for key in keys:
        for row in connection.execute(ROW, {"book": book, **dict(zip(names, key, strict=True))}):
            yield key, HopColumns._make(row)
