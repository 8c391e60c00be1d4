"""Which views are complete: after they were emptied, they are not until they reach the position in REFILL."""

import sqlalchemy as sa
from sqlalchemy import Connection

from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.tables import REFILL
from pathbook.ledger.store.views.tracking import TRACKING

_UNFINISHED = (
    sa.select(REFILL.c.book)
    .outerjoin(TRACKING, TRACKING.c.application_name == REFILL.c.book)
    .where(sa.func.coalesce(TRACKING.c.notification_id, 0) < REFILL.c.through)
    .limit(1)
)


def has_unfinished(connection: Connection) -> bool:
    """Tell whether the views of any book are incomplete."""
    return connection.execute(_UNFINISHED).first() is not None


def record_unfinished(connection: Connection, stream: Stream) -> None:
    """Record the head of each book that was never followed.

    Its views are incomplete until they reach that position.
    """
    followed = connection.execute(sa.select(TRACKING.c.application_name)).scalars()
    noted = connection.execute(sa.select(REFILL.c.book)).scalars()
    for book in set(stream.books()).difference(followed, noted):
        connection.execute(REFILL.insert().values(book=book, through=stream.head(book)))


def complete_at(connection: Connection, book: str, position: int) -> None:
    """Count the views of a book as complete from a position on, if they were to be further before they are complete."""
    further = REFILL.update().where(REFILL.c.book == book, REFILL.c.through > position)
    connection.execute(further.values(through=position))
