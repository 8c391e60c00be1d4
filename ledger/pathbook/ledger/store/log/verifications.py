"""How often printed codes were verified, beside the log and never in it: counts by unit, hour and class of caller.

No address, token or place of a caller is kept. Counts of one hour are one row. The oldest hours go first, and of the
last one that there is room for the lowest counts.
"""

import contextlib
from collections.abc import Collection, Iterable
from itertools import starmap
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.reports.verified import VerifiedRow
from pathbook.ledger.store.database.bulk_write import add_statement
from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.late_tables import has_table, make_table
from pathbook.ledger.store.log.stream import persistence_errors

VERIFICATIONS_MAX: Final = 1_000_000
"""How many rows are kept, of all books together. They take some 60 MB. There may be CLEAN_AFTER_ROWS more for each
server."""

CLEAN_AFTER_ROWS: Final = 100_000
"""After how many added rows it is looked whether there are too many, and once an hour in any case."""

LOOKED_UP_AT_ONCE: Final = 50_000
"""How many rows to remove are looked up at once. To find them takes a walk through all rows."""

REMOVED_AT_ONCE: Final = 5_000
"""How many rows one transaction removes, so that writers of events do not wait for more."""

EVERY_ROW: Final = 2**62
"""A limit that leaves out no row."""

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

DROPPED: Final = sa.Table(
    "verification_dropped",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("hour", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The last hour of which counts of a book went because there were too many. Of the hours before it none may be left."""

Count = tuple[int, int, int, str, int]
"""The columns of a row after the book."""

_ADD: Final = add_statement(VERIFICATION)

_KEY: Final = tuple(f"removed_{column.name}" for column in VERIFICATION.primary_key.columns)
_REMOVE: Final = VERIFICATION.delete().where(
    *(
        column == sa.bindparam(name)
        for column, name in zip(VERIFICATION.primary_key.columns, _KEY, strict=True)
    )
)


class Verifications:
    """The counts of all servers of a log. Threads may share it. Methods raise PersistenceError of eventsourcing."""

    def __init__(self, engine: Engine, limit: int = VERIFICATIONS_MAX) -> None:
        """Use the database of the log. Nothing is read or written yet. ``limit`` is how many rows are kept."""
        self._engine, self._limit = engine, limit
        self._cleaned, self._added = 0, 0

    def add(self, counts: dict[str, list[Count]], now: int) -> None:
        """Add counts of books to those that are there. Now and then, remove those that are too old or too many."""
        with persistence_errors():
            make_table(self._engine, VERIFICATION)
            make_table(self._engine, DROPPED)
            with writing(self._engine) as connection:
                for book, rows in counts.items():
                    _ADD.execute(connection, book, rows)
        self._added += sum(map(len, counts.values()))
        if (hour := now // HOUR_US) != self._cleaned or self._added >= CLEAN_AFTER_ROWS:
            # An error would have what was added just now added again. If it lasts, the next addition fails.
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._clean(hour)
                self._cleaned, self._added = hour, 0

    def _clean(self, hour: int) -> None:
        table = VERIFICATION.c
        self._remove(table.hour < hour - VERIFICATION_AGE_HOURS)
        by_hour = sa.select(table.hour, sa.func.count()).group_by(table.hour).order_by(table.hour.desc())
        with reading(self._engine) as connection:
            of_hours = connection.execute(by_hour).all()
        room = self._limit
        for of, rows in of_hours:
            if rows > room:
                self._note_dropped(of)
                self._remove(table.hour < of)
                self._remove(table.hour == of, rows - room)
                return
            room -= rows

    def _note_dropped(self, hour: int) -> None:
        """Note for each book that has counts of an hour, or of an hour before it, that some of them go."""
        books = sa.select(VERIFICATION.c.book).where(VERIFICATION.c.hour <= hour).distinct()
        with writing(self._engine) as connection:
            for (book,) in connection.execute(books).all():
                noted = connection.scalar(sa.select(DROPPED.c.hour).where(DROPPED.c.book == book))
                if noted is None:
                    connection.execute(DROPPED.insert().values(book=book, hour=hour))
                elif noted < hour:
                    connection.execute(DROPPED.update().where(DROPPED.c.book == book).values(hour=hour))

    def _remove(self, condition: sa.ColumnElement[bool], at_most: int = EVERY_ROW) -> None:
        """Remove the rows that meet a condition, the lowest counts first, in transactions of a bounded size."""
        keys = sa.select(*VERIFICATION.primary_key.columns).where(condition).order_by(VERIFICATION.c.times)
        left = at_most
        while left > 0:
            with reading(self._engine) as connection:
                found = connection.execute(keys.limit(min(left, LOOKED_UP_AT_ONCE))).all()
            for begin in range(0, len(found), REMOVED_AT_ONCE):
                part = [dict(zip(_KEY, row, strict=True)) for row in found[begin : begin + REMOVED_AT_ONCE]]
                with writing(self._engine) as connection:
                    connection.execute(_REMOVE, part)
            if len(found) < LOOKED_UP_AT_ONCE:
                return
            left -= len(found)

    def dropped_through(self, book: str) -> int | None:
        """Return the last hour of which counts of a book went because there were too many, None if none did."""
        with persistence_errors(), reading(self._engine) as connection:
            if not has_table(connection, DROPPED):
                return None
            return connection.scalar(sa.select(DROPPED.c.hour).where(DROPPED.c.book == book))

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
