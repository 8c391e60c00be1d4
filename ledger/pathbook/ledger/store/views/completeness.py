"""Which views are complete: after they were emptied, they are not until they reach the position in REFILL."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy import Connection

from pathbook.ledger.store.custody.tables import empty_custody
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.tables import REFILL, VIEWS
from pathbook.ledger.store.views.tracking import TRACKING

Progress: TypeAlias = Callable[[int, int], None]
"""A function that is called with the number of events that are done, and with the number of all events."""

_UNFINISHED = (
    sa.select(REFILL.c.book, REFILL.c.through)
    .outerjoin(TRACKING, TRACKING.c.application_name == REFILL.c.book)
    .where(sa.func.coalesce(TRACKING.c.notification_id, 0) < REFILL.c.through)
)


def has_unfinished(connection: Connection) -> bool:
    """Tell whether the views of any book are incomplete."""
    return connection.execute(_UNFINISHED.limit(1)).first() is not None


def unfinished(connection: Connection) -> list[tuple[str, int]]:
    """Return the books whose views are incomplete, and the position at which each is complete."""
    return [(book, through) for book, through in connection.execute(_UNFINISHED)]


def record_unfinished(connection: Connection, stream: Stream) -> None:
    """Record the head of each book that was never followed.

    Its views are incomplete until they reach that position.
    """
    followed = connection.execute(sa.select(TRACKING.c.application_name)).scalars()
    noted = connection.execute(sa.select(REFILL.c.book)).scalars()
    for book in set(stream.books()).difference(followed, noted):
        connection.execute(REFILL.insert().values(book=book, through=known_head(stream, book)))


def known_head(stream: Stream, book: str) -> int:
    """Return the last position of a book. If its last events are missing, return the position that they reached."""
    try:
        return stream.head(book)
    except EventDamagedError as error:
        return error.position


def to_build(
    books: Iterable[str], head: Callable[[str], int], wanted: Mapping[str, int], reached: Mapping[str, int]
) -> int:
    """Return how many events the views lack before they are complete.

    Args:
        books: all books of the log.
        head: returns the head of a book. It is asked for those that were never followed, which are wanted up to there.
        wanted: the position at which each book is complete that is not, as `unfinished` returns it.
        reached: the position that the views have of each book that was followed.
    """
    new = {book: head(book) for book in set(books).difference(wanted, reached)}
    return sum(max(0, end - reached.get(book, 0)) for book, end in {**wanted, **new}.items())


def complete_at(connection: Connection, book: str, position: int) -> None:
    """Count the views of a book as complete from a position on, if they were to be further before they are complete."""
    further = REFILL.update().where(REFILL.c.book == book, REFILL.c.through > position)
    connection.execute(further.values(through=position))


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Take rows that are there before their events as damage: a follower writes in its turn, at its position.

    Raises:
        DatabaseDamagedError: rows of the views are there already.
    """
    try:
        yield
    except sa.exc.IntegrityError as error:
        cause = "it holds rows of events that it should not know yet"
        raise DatabaseDamagedError(is_log=False, name="The database of the views", cause=cause) from error


def empty_views(connection: Connection) -> None:
    """Remove all rows, and the positions that the views had reached. Custody is emptied with them."""
    for table in (*VIEWS.sorted_tables, TRACKING):
        connection.execute(table.delete())
    empty_custody(connection)


def progress_of_part(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Report the progress of one book as a part of the progress of all books."""
    return progress and (lambda done, _: progress(min(before + done, total), total))
