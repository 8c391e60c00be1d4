"""Replays a log into views that are thrown away, to say what the views of its books should be."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.database.engine import Database, open_engine
from pathbook.ledger.store.database.places import views_file
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower


def replay_events(
    log: Database, views: Database, progress: Callable[[int, int | None], None]
) -> dict[str, int]:
    """Replay all events of a log into empty views. Return the position that the views of each book have reached.

    An event that is newer than this program ends the replay of its book.

    Raises:
        pathbook.ledger.store.log.damage.EventDamagedError: an event is damaged.
        eventsourcing.persistence.PersistenceError: a database fails, or the disk is full.
    """
    stream = Stream(log)
    with contextlib.closing(Follower(stream, views)) as follower:
        with contextlib.suppress(NewerEventError):
            follower.rebuild(progress)
        return {book: follower.position(book) for book in stream.books()}


@contextlib.contextmanager
def scratch_views(directory: Path) -> Iterator[Database]:
    """Yield empty views in a directory."""
    views = open_engine(directory / views_file(), purpose="views")
    try:
        yield views
    finally:
        views.dispose()
