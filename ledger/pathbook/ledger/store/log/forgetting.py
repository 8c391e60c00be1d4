"""Forgets what is kept of events that the log lost: their hashes and notes. New events will take their positions."""

import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.log.event_table import EVENT, EVENT_HASHES, HASH_BYTES
from pathbook.ledger.store.log.notes import NOTE


def forget_lost_events(engine: Engine) -> None:
    """Delete the hashes and notes beyond the last event of each book, if there are any.

    The log has no gap before that event, or a reader is told of it. An operator has to have accepted the loss.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database fails.
    """
    with writing(engine) as connection:
        books = connection.execute(sa.select(EVENT_HASHES.c.book).distinct()).scalars().all()
        for book in books:
            last = sa.select(sa.func.max(EVENT.c.position)).where(EVENT.c.book == book)
            head = connection.execute(last).scalar() or 0
            beyond = sa.and_(EVENT_HASHES.c.book == book, EVENT_HASHES.c.last_position > head)
            rows = connection.execute(sa.select(EVENT_HASHES).where(beyond)).all()
            connection.execute(EVENT_HASHES.delete().where(beyond))
            for _, last_position, hashes in rows:
                kept = hashes[: max(0, len(hashes) - HASH_BYTES * (last_position - head))]
                if kept:  # the append of this row was lost in part
                    row = {"book": book, "last_position": head, "hashes": kept}
                    connection.execute(EVENT_HASHES.insert(), row)
            connection.execute(NOTE.delete().where(NOTE.c.book == book, NOTE.c.position > head))
