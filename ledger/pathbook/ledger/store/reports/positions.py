"""How far each report is in each book: recorded, read, and moved in the transaction of its rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Select, bindparam

from pathbook.ledger.reports.report import Report, SumRow
from pathbook.ledger.store.database.bulk_write import insert_statement, update_statement
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.reports import tables
from pathbook.ledger.store.reports.tables import POSITIONS, table_of, writes_of


class ReportPosition(NamedTuple):
    """How far a version of a report is in a book. It is being built until ``position`` is at least ``through``."""

    report: str
    version: int
    book: str
    position: int
    through: int


def open_reports(
    engine: Engine, reports: Sequence[Report], books: Iterable[str], head: Callable[[str], int]
) -> None:
    """Make what the reports lack: tables, and for each book that has events the position through which they are built.

    Args:
        engine: of the views.
        reports: all reports of this program.
        books: the books that have events.
        head: returns the last position of a book.
    """
    with reading(engine) as connection:
        if tables.has_all(connection, reports) and not list(_unknown(connection, reports, books)):
            return
    with writing(engine) as connection:
        open_reports_on(connection, reports, books, head)


def open_reports_on(
    connection: Connection, reports: Sequence[Report], books: Iterable[str], head: Callable[[str], int]
) -> None:
    """Do as ``open_reports`` in the caller's transaction. Another process may have done it before."""
    tables.make_missing(connection, reports)
    for report, book in list(_unknown(connection, reports, books)):
        connection.execute(
            POSITIONS.insert().values(
                book=book, report=report.name, version=report.version, position=0, through=head(book)
            )
        )


def _unknown(
    connection: Connection, reports: Sequence[Report], books: Iterable[str]
) -> Iterable[tuple[Report, str]]:
    """Yield each report with each book in which it has no position yet."""
    known = {(found.report, found.version, found.book) for found in positions(connection)}
    named = list(books)
    return (
        (report, book)
        for report in reports
        for book in named
        if (report.name, report.version, book) not in known
    )


def positions(connection: Connection) -> list[ReportPosition]:
    """Return how far each version of each report is in each book, also those of other programs."""
    if not sa.inspect(connection).has_table(POSITIONS.name):
        return []
    columns = [POSITIONS.c[name] for name in ReportPosition._fields]
    ordered = sa.select(*columns).order_by(*columns[:3])
    return [ReportPosition(*row) for row in connection.execute(ordered)]


def remove_replaced(connection: Connection, reports: Sequence[Report]) -> list[str]:
    """Drop the older versions of reports whose present version is built in all books. Return their titles.

    An older version is kept until then, because a server of an older program may still answer from it.
    """
    found, removed = positions(connection), []
    for report in reports:
        own = [at for at in found if (at.report, at.version) == (report.name, report.version)]
        if any(at.position < at.through for at in own):
            continue
        older = {at.version for at in found if at.report == report.name and at.version < report.version}
        for version in sorted(older):
            tables.drop(connection, report.name, version)
            removed.append(f"{report.name}_{version}")
    return removed


def empty_report(connection: Connection, report: Report) -> None:
    """Remove all rows of a report, and its positions. It is then built again, from the first event on."""
    connection.execute(table_of(report).delete())
    connection.execute(POSITIONS.delete().where(*_of(report)))


def built_at(connection: Connection, book: str, position: int) -> None:
    """Count the reports of a book as built from a position on, if they were to be further before they are."""
    further = POSITIONS.update().where(POSITIONS.c.book == book, POSITIONS.c.through > position)
    connection.execute(further.values(through=position))


def position_on(connection: Connection, report: Report, book: str) -> int:
    """Return the position that a report has reached in a book, or 0 if it has none."""
    at = sa.select(POSITIONS.c.position).where(POSITIONS.c.book == book, *_of(report))
    return connection.execute(at).scalar() or 0


def positions_on(connection: Connection, book: str) -> dict[tuple[str, int], int]:
    """Return the positions that reports have reached in a book, by name and version."""
    found = connection.execute(_OF_BOOK, {"book": book})
    return {(name, version): position for name, version, position in found}


def add_rows(
    connection: Connection, book: str, rows: Mapping[Report, Sequence[SumRow]], after: int, last: int
) -> dict[Report, int]:
    """Add rows to those of some reports that are at a position, and move these to that of the last event.

    Return the positions of all of these reports.
    """
    known = positions_on(connection, book)
    reached = {report: known.get((report.name, report.version), 0) for report in rows}
    level = [report for report, position in reached.items() if position == after]
    for report in level:
        if added := rows[report]:
            writes = writes_of(report)
            writes.add.execute(connection, book, added)
            writes.remove.execute(connection, book, [()])
        reached[report] = last
    moved = [(report.name, report.version, last) for report in level]
    _MOVE.execute(connection, book, [row for row in moved if row[:2] in known])
    _BEGIN.execute(connection, book, [(*row, 0) for row in moved if row[:2] not in known])
    return reached


_OF_BOOK: Final = sa.select(POSITIONS.c.report, POSITIONS.c.version, POSITIONS.c.position).where(
    POSITIONS.c.book == bindparam("book")
)
_MOVE: Final = update_statement(POSITIONS, ["report", "version", "position"])
_BEGIN: Final = insert_statement(POSITIONS)


@cache
def position_lookup(report: Report) -> Select[tuple[int, int]]:
    """Return the lookup of the position of a report in a book, and of the position through which it is built."""
    book = POSITIONS.c.book == bindparam("book")
    return sa.select(POSITIONS.c.position, POSITIONS.c.through).where(book, *_of(report))


def _of(report: Report) -> tuple[sa.ColumnElement[bool], ...]:
    return POSITIONS.c.report == report.name, POSITIONS.c.version == report.version
