"""The access log: who that sees everything of a book read prices in it. It lies beside the log, and is bounded.

A line counts equal reads of a second. Lines have numbers 1, 2, 3 ... for all books together, and the oldest go first.
"""

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.late_tables import has_table, make_table
from pathbook.ledger.store.log.stream import persistence_errors

ACCESSES_MAX: Final = 100_000
"""How many lines are kept. They take some 20 MB. An auditor who reads a thousand paths a day fills them in months."""

ACCESS_AGE_US: Final = 400 * 24 * 3_600 * 1_000_000
"""How old a line gets: a year, and a month to look at it."""

ACCESS: Final = sa.Table(
    "access",
    sa.MetaData(),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("book", TEXT, nullable=False),
    sa.Column("role", TEXT, nullable=False),
    sa.Column("caller", TEXT, nullable=False),
    sa.Column("method", TEXT, nullable=False),
    sa.Column("subject", TEXT, nullable=False),
    sa.Column("times", sa.BigInteger, nullable=False),
)
_LAST: Final = sa.select(sa.func.coalesce(sa.func.max(ACCESS.c.number), 0))


class Access(NamedTuple):
    """A line of the access log.

    Attributes:
        number: 1, 2, 3 ... It is given when the line is written.
        at: when the first of these reads was asked, in microseconds since 1970 UTC.
        book: which book was read.
        role: what the caller is to it, a word.
        caller: the id of its token, or how else it is known.
        method: what it asked, Service.Method.
        subject: of what, in words.
        times: how many equal reads there were.
    """

    number: int
    at: int
    book: str
    role: str
    caller: str
    method: str
    subject: str
    times: int


_row: Final[Callable[..., Access]] = Access
"""Makes a line of the columns of a row."""


class Accesses:
    """The access log of all servers of a log. Threads may share it. Methods raise PersistenceError of eventsourcing."""

    def __init__(self, engine: Engine, limit: int = ACCESSES_MAX) -> None:
        """Use the database of the log. Nothing is read or written yet. ``limit`` is how many lines are kept."""
        self._engine, self._limit = engine, limit

    def add(self, lines: Sequence[Access], now: int) -> None:
        """Write lines, and remove those that are too old or too many."""
        if not lines:
            return
        with persistence_errors():
            make_table(self._engine, ACCESS)
            with writing(self._engine) as connection:
                last = connection.execute(_LAST).scalar_one()
                rows = [line._replace(number=number)._asdict() for number, line in enumerate(lines, last + 1)]
                connection.execute(ACCESS.insert(), rows)
                beyond = ACCESS.c.number <= last + len(rows) - self._limit
                connection.execute(ACCESS.delete().where(beyond | (ACCESS.c.at < now - ACCESS_AGE_US)))

    def page(self, book: str, before: int, limit: int) -> list[Access]:
        """Return at most ``limit`` lines of a book before a number (0: from the newest on), newest first."""
        query = sa.select(ACCESS).where(ACCESS.c.book == book).order_by(ACCESS.c.number.desc()).limit(limit)
        with persistence_errors(), reading(self._engine) as connection:
            if not has_table(connection, ACCESS):
                return []
            if before:
                query = query.where(ACCESS.c.number < before)
            return list(starmap(_row, connection.execute(query).all()))
