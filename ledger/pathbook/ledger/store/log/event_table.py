"""The tables of the events and of their hashes, and the statements that read them.

The hashes were added beside the table of the events, which never changes. Each row holds the hashes of the events of
one append, HASH_BYTES of each. An older log has events without a kept hash.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Select

from pathbook.ledger.store.database.engine import TEXT

HASH_BYTES: Final = 8
"""How many bytes are kept of the hash of an event. They must tell a flipped bit, not a forger: heads do that."""

POSITIONS_PER_STATEMENT_MAX: Final = 100
"""How many positions one statement names at most. There is one statement for each number of positions."""

TABLES: Final = sa.MetaData()
"""The tables that are made with a new log. The note's is added by ``pathbook.ledger.store.log.stream``."""

# Without row ids an event lies only in its primary key. Measured with events of 100 bytes, it takes 170 bytes
# on disk instead of 185. A commit of one event writes 6.4 KB instead of 9.1, and of 512 events 118 KB instead
# of 124. Appends (about 320,000/s, without waiting for the disk) and reads (1,700,000/s) are as fast.
EVENT = sa.Table(
    "event",
    TABLES,
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("topic", TEXT, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
EVENT_HASHES = sa.Table(
    "event_hashes",
    TABLES,
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("last_position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

_OF_BOOK = EVENT.c.book == sa.bindparam("book")
_HASHES_OF_BOOK = EVENT_HASHES.c.book == sa.bindparam("book")
_ENTRY = sa.select(EVENT.c.position, EVENT.c.topic, EVENT.c.state).where(_OF_BOOK)
_RANGE = _ENTRY.where(
    EVENT.c.position > sa.bindparam("after"), EVENT.c.position <= sa.bindparam("through")
).limit(sa.bindparam("limit"))
ASCENDING = _RANGE.order_by(EVENT.c.position)
DESCENDING = _RANGE.order_by(EVENT.c.position.desc())
NEXT_BOOK = sa.select(sa.func.min(EVENT.c.book)).where(EVENT.c.book > sa.bindparam("book"))

HEADS: Final = sa.select(
    sa.select(sa.func.max(EVENT.c.position)).where(_OF_BOOK).scalar_subquery(),
    sa.select(sa.func.max(EVENT_HASHES.c.last_position)).where(_HASHES_OF_BOOK).scalar_subquery(),
)
"""The last position of the events of a book, and the last one whose hash is kept. Each is None if there is none."""

_LAST_ROW = (
    sa.select(sa.func.min(EVENT_HASHES.c.last_position))
    .where(_HASHES_OF_BOOK, EVENT_HASHES.c.last_position >= sa.bindparam("last"))
    .scalar_subquery()
)
HASHES = (
    sa.select(EVENT_HASHES.c.last_position, EVENT_HASHES.c.hashes)
    .where(
        _HASHES_OF_BOOK,
        EVENT_HASHES.c.last_position > sa.bindparam("after"),
        EVENT_HASHES.c.last_position <= sa.func.coalesce(_LAST_ROW, sa.bindparam("last")),
    )
    .order_by(EVENT_HASHES.c.last_position)
)
"""The rows that hold the hashes of the events after a position, up to a last one."""

_FROM_END = EVENT_HASHES.c.last_position - EVENT.c.position
_START = sa.func.length(EVENT_HASHES.c.hashes) + 1 - HASH_BYTES * (_FROM_END + 1)
# A literal, because PostgreSQL plans a parameter for any number.
_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_KEPT = (
    sa.select(
        sa.case(
            (
                _START >= 1,
                sa.func.substr(EVENT_HASHES.c.hashes, sa.cast(_START, sa.Integer), HASH_BYTES),
            )
        )
    )
    .where(EVENT_HASHES.c.book == EVENT.c.book, EVENT_HASHES.c.last_position >= EVENT.c.position)
    .order_by(EVENT_HASHES.c.last_position)
    .limit(_ONE)
    .correlate(EVENT)
    .scalar_subquery()
)
"""The kept hash of one event, or NULL if none is kept. It takes one search, where the rows of a range take few."""

ENTRY_AT = _ENTRY.add_columns(_KEPT)
DATA_AT = _ENTRY.with_only_columns(EVENT.c.state)


def _first_entries() -> Select[str, int, int, str, bytes, bytes]:
    """Return the statement that searches for one book after the other, and reads each one's first event and head."""
    names = sa.select(sa.literal(1).label("number"), NEXT_BOOK.scalar_subquery().label("book")).cte(
        "names", recursive=True
    )
    other = EVENT.alias("other")
    following = sa.select(sa.func.min(other.c.book)).where(other.c.book > names.c.book).scalar_subquery()
    names = names.union_all(
        sa.select(names.c.number + 1, following).where(
            names.c.book.is_not(None), names.c.number < sa.bindparam("limit")
        )
    )
    head = sa.select(sa.func.max(other.c.position)).where(other.c.book == names.c.book).scalar_subquery()
    is_first = sa.and_(EVENT.c.book == names.c.book, EVENT.c.position == 1)
    kept_head = (
        sa.select(sa.func.max(EVENT_HASHES.c.last_position))
        .where(EVENT_HASHES.c.book == names.c.book)
        .scalar_subquery()
    )
    found = sa.select(names.c.book, head, kept_head, EVENT.c.topic, EVENT.c.state, _KEPT)
    return (
        found.join_from(names, EVENT, is_first, isouter=True)
        .where(names.c.book.is_not(None))
        .order_by(names.c.book)
    )


FIRST_ENTRIES = _first_entries()

POSITION_NAMES: Final = [f"position_{number}" for number in range(POSITIONS_PER_STATEMENT_MAX)]


@cache
def entries_at(count: int) -> Select[int, str, bytes, bytes | None]:
    """Return the statement that reads entries at this many positions, each with its kept hash or None."""
    return ENTRY_AT.where(EVENT.c.position.in_(_positions(count))).order_by(EVENT.c.position)


@cache
def data_at(count: int) -> Select[bytes]:
    """Return the statement that reads the bytes of the entries at this many positions."""
    return DATA_AT.where(EVENT.c.position.in_(_positions(count))).order_by(EVENT.c.position)


def parts(positions: Iterable[int]) -> Iterator[list[int]]:
    """Yield positions in order, each once, as many at a time as one statement names."""
    wanted = sorted(set(positions))
    for start in range(0, len(wanted), POSITIONS_PER_STATEMENT_MAX):
        yield wanted[start : start + POSITIONS_PER_STATEMENT_MAX]


def _positions(count: int) -> list[sa.BindParameter[int]]:
    return [sa.bindparam(name, type_=sa.BigInteger) for name in POSITION_NAMES[:count]]


def _hashed_books() -> Select[str]:
    """Return the statement that searches for one book after the other that has a kept hash."""
    hashes, other = EVENT_HASHES.c, EVENT_HASHES.alias("other")
    first = sa.select(sa.func.min(hashes.book)).where(hashes.book > sa.bindparam("book")).scalar_subquery()
    names = sa.select(sa.literal(1).label("number"), first.label("book")).cte("hashed", recursive=True)
    following = sa.select(sa.func.min(other.c.book)).where(other.c.book > names.c.book).scalar_subquery()
    names = names.union_all(
        sa.select(names.c.number + 1, following).where(
            names.c.book.is_not(None), names.c.number < sa.bindparam("limit")
        )
    )
    return sa.select(names.c.book).where(names.c.book.is_not(None)).order_by(names.c.book)


HASHED_BOOKS = _hashed_books()
