"""Looks at views and reports without a change: their versions, how far they are, and whether they are of this log."""

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.projections.registers import request
from pathbook.ledger.store.database.engine import reading
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.reports.positions import ReportPosition, positions
from pathbook.ledger.store.views.tables import REQUEST
from pathbook.ledger.store.views.tracking import TRACKING
from pathbook.ledger.store.views.writer import version_of


def views_version(views: Engine) -> str:
    """Return the version of the views, or "" if there are none."""
    with reading(views) as connection:
        return version_of(connection)


def views_positions(views: Engine) -> dict[str, int]:
    """Return the position that the views of each book have reached."""
    with reading(views) as connection:
        if not sa.inspect(connection).has_table(TRACKING.name):
            return {}
        return {book: position for book, position in connection.execute(sa.select(TRACKING)).all()}  # noqa: C416 - rows are no pairs to mypy


def report_positions(views: Engine) -> list[ReportPosition]:
    """Return how far each version of each report is in each book, also those of other programs."""
    with reading(views) as connection:
        return positions(connection)


def is_last_of(log: Engine, views: Engine, book: str, position: int) -> bool:
    """Tell whether the last event of a book's views is the one at that position of the log.

    An event that this program cannot read counts as the same: it is newer, or the check of the log names it.
    """
    at = sa.and_(EVENT.c.book == book, EVENT.c.position == position)
    with reading(log) as connection:
        state = connection.execute(sa.select(EVENT.c.state).where(at)).scalar()
    if state is None:
        return False
    try:
        row = request(decode(position, bytes(state)))
    except (NewerEventError, MalformedEventError):
        return True
    with reading(views) as connection:
        return _has_request(connection, book, tuple(row))


def _has_request(connection: Connection, book: str, row: tuple[object, ...]) -> bool:
    key = sa.tuple_(REQUEST.c.request_hash, REQUEST.c.position)
    return (
        connection.execute(sa.select(REQUEST).where(REQUEST.c.book == book, key == row)).first() is not None
    )
