"""How often printed codes were verified, beside the log and never in it: counts by unit, hour and class of caller.

No address, token or place of a caller is kept. Counts of one hour are one row, and the oldest go first.
"""

from collections.abc import Collection, Iterable
from itertools import starmap
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from pathbook.ledger.reports.verified import VerifiedRow
from pathbook.ledger.store.database.bulk_write import add_statement
from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.late_tables import has_table, make_table
from pathbook.ledger.store.log.stream import persistence_errors

VERIFICATIONS_MAX: Final = 1_000_000
"""How many rows are kept, of all books together. They take some 60 MB. Within an hour there may be more."""

VERIFICATION_AGE_HOURS: Final = 400 * 24
"""How old a row gets: a year, and a month to look at it."""

HOUR_US: Final = 3_600_000_000
"""An hour in microseconds."""

HOURS_OF_DAY: Final = 24

BATCHES_AT_ONCE: Final = 500
"""The counts of how many batches one statement looks up."""

VERIFICATION: Final = sa.Table(
    "verification",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("batch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""``hour`` counts from 1970 UTC, and ``number`` may be OTHER_UNITS."""

Count = tuple[int, int, int, str, int]
"""The columns of a row after the book."""

_ADD: Final = add_statement(VERIFICATION)


class Verifications:
    """The counts of all servers of a log. Threads may share it. Methods raise PersistenceError of eventsourcing."""

    def __init__(self, engine: Engine, limit: int = VERIFICATIONS_MAX) -> None:
        """Use the database of the log. Nothing is read or written yet. ``limit`` is how many rows are kept."""
        self._engine, self._limit = engine, limit
        self._cleaned = 0

    def add(self, counts: dict[str, list[Count]], now: int) -> None:
        """Add counts of books to those that are there. Once an hour, remove those that are too old or too many."""
        with persistence_errors():
            make_table(self._engine, VERIFICATION)
            with writing(self._engine) as connection:
                for book, rows in counts.items():
                    _ADD.execute(connection, book, rows)
                if (hour := now // HOUR_US) != self._cleaned:
                    self._clean(connection, hour)
            self._cleaned = hour

    def _clean(self, connection: Connection, hour: int) -> None:
        first = hour - VERIFICATION_AGE_HOURS
        by_hour = sa.select(VERIFICATION.c.hour, sa.func.count()).group_by(VERIFICATION.c.hour)
        kept = 0
        for of, rows in connection.execute(by_hour.order_by(VERIFICATION.c.hour.desc())):
            kept += rows
            if kept > self._limit:
                first = max(first, of + 1)
                break
        connection.execute(VERIFICATION.delete().where(VERIFICATION.c.hour < first))

    def rows(
        self,
        book: str,
        batches: Collection[int] | None,
        days: tuple[int, int],
        limit: int,
    ) -> list[VerifiedRow]:
        """Return at most ``limit`` counts by unit, day and class.

        Args:
            book: the book.
            batches: of these batches, or of all if it is None.
            days: the first and the last day, since 1970 UTC.
            limit: how many.
        """
        found: list[VerifiedRow] = []
        with persistence_errors(), reading(self._engine) as connection:
            if not has_table(connection, VERIFICATION):
                return found
            parts: Iterable[Collection[int] | None] = [None]
            if batches is not None:
                wanted = sorted(batches)
                parts = [
                    wanted[begin : begin + BATCHES_AT_ONCE]
                    for begin in range(0, len(wanted), BATCHES_AT_ONCE)
                ]
            for part in parts:
                if len(found) < limit:
                    query = _query(book, part, days).limit(limit - len(found))
                    found += starmap(VerifiedRow, connection.execute(query).all())
        return found


def _query(
    book: str, batches: Collection[int] | None, days: tuple[int, int]
) -> sa.Select[*tuple[object, ...]]:
    table, (first, last) = VERIFICATION.c, days
    # no parameter, because PostgreSQL would not know that it groups by what it selects
    day = table.hour // sa.literal_column(str(HOURS_OF_DAY), sa.BigInteger)
    conditions = [
        table.book == book,
        table.hour >= first * HOURS_OF_DAY,
        table.hour < (last + 1) * HOURS_OF_DAY,
    ]
    if batches is not None:
        conditions.append(table.batch.in_(batches))
    times = sa.cast(sa.func.sum(table.times), sa.BigInteger)
    columns = (table.batch, table.number, day, table.kind)
    return sa.select(*columns, times).where(*conditions).group_by(*columns)
