"""The storage of a server: the log, the views, and the keys of the codes, in a directory or partly in a database."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pathbook.ledger.books import Books
from pathbook.ledger.deadlines import PRECEDENCE_US, DeadlineWatch
from pathbook.ledger.queries import Queries
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import open_engine, require_safety
from pathbook.ledger.store.log.code_key import CodeKeysInUse
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.stream import Stream, has_log, persistence_errors
from pathbook.ledger.store.views.batch_keys import batch_keys
from pathbook.ledger.store.views.due_offers import DueOffers
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.replacement import replace_views, require_whole
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.services.code_keys import CodeKeys
from pathbook.services.key_file import KEY_FILE

EVENTS_FILE: Final = "events.sqlite"
"""The log, which must be kept."""

VIEWS_FILE: Final = "views.sqlite"
"""The views, which may be dropped and are rebuilt from the log."""


DAMAGE: Final = (EventDamagedError, DatabaseDamagedError)
"""The errors that tell of damage: no call can mend it, and no retry helps."""


class Storage:
    """The open storage of one data directory. Several servers may have the same directory open at once.

    Attributes:
        stream: the log.
        keys: the keys of the codes.
        follower: updates the views, or only reads their position if another process updates them.
        books: the books, for writing.
        queries: the read API.
        deadlines: ends the offers whose deadline passes, unless the storage was opened without.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], int],
        *,
        database: str = "",
        projects: bool = True,
        lapses: bool = True,
        allow_event_loss: bool = False,
    ) -> None:
        """Open the storage; make the directory if it is missing.

        Args:
            path: the directory. It holds the keys of the codes, and the books if no database is named.
            clock: returns microseconds since 1970 UTC.
            database: the URL of a PostgreSQL database that holds the books, "" for none.
            projects: whether to update the views; if not, another process has to.
            lapses: whether to watch the deadlines of offers. An offer that passes its own lapses.
            allow_event_loss: whether to accept a database that may lose events it has acknowledged.

        Raises:
            pathbook.services.key_file.UnusableKeyError: a key is missing or damaged, or the keys are of other books.
            pathbook.ledger.store.database.engine.UnsafeLogError: the database may lose events.
            pathbook.ledger.store.database.engine.UnknownFormatError: another version of Pathbook wrote the books.
            pathbook.ledger.store.database.damage.DatabaseDamagedError: the log or the views are damaged.
            eventsourcing.persistence.PersistenceError: the database cannot be reached, or refuses.
            OSError: the directory cannot be made, read or written.
            ValueError: Pathbook cannot open such a URL.
        """
        path.mkdir(parents=True, exist_ok=True)
        self._events_engine = open_engine(database or path / EVENTS_FILE, purpose="events")
        self._views_engine = open_engine(database or path / VIEWS_FILE, purpose="views")
        with contextlib.ExitStack() as stack:
            stack.callback(self._dispose)
            if not allow_event_loss:
                with persistence_errors():
                    require_safety(self._events_engine)
            self.stream = Stream(self._events_engine)
            self.follower = Follower(self.stream, self._views_engine, projects=projects)
            with persistence_errors():
                of_batches = batch_keys(self._views_engine)
            in_use = CodeKeysInUse(self._events_engine)
            self.keys = CodeKeys(path / KEY_FILE, in_use, of_batches, make=not self.stream.books())
            stack.pop_all()
        loader = StateLoader(self.stream, self._views_engine, SQLAlchemyTrackingRecorder(self._views_engine))
        self.books = Books(self.stream, loader, self.follower, clock)
        self.queries = Queries(self.stream, self._views_engine)
        self.deadlines = DeadlineWatch(
            self.books,
            self.stream,
            DueOffers(self._views_engine),
            self.follower,
            clock,
            precedence_us=0 if projects else PRECEDENCE_US,
        )
        self.follower.start()
        if lapses:
            self.deadlines.start()

    def close(self) -> None:
        """Finish the writes that are under way, then close the databases."""
        self.follower.close()  # first: it ends the waiting of a writer that waits for the views
        self.deadlines.close()
        self.books.close()
        self.stream.close()
        self._dispose()

    def require_whole_views(self) -> None:
        """Require that the views are not damaged, as far as their database can tell.

        Raises:
            pathbook.ledger.store.database.damage.DatabaseDamagedError: they are damaged.
        """
        with persistence_errors():
            require_whole(self._views_engine)

    def _dispose(self) -> None:
        self._views_engine.dispose()
        self._events_engine.dispose()


def has_books(path: Path, database: str) -> bool:
    """Return whether a directory, or its database (else ""), has held books. This creates nothing.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
    """
    if not database:
        return (path / EVENTS_FILE).exists()
    engine = open_engine(database, purpose="events")
    try:
        return has_log(engine)
    finally:
        engine.dispose()


def rebuild_views(
    path: Path, database: str, clock: Callable[[], int], progress: Callable[[int, int], None]
) -> None:
    """Rebuild the views of all books in a directory, or in its database (else ""). Damaged views are replaced.

    ``progress`` is called with the number of events done, and the total.

    Raises:
        pathbook.ledger.store.log.damage.EventDamagedError: an event is damaged. The rest is rebuilt as far as possible.
        pathbook.ledger.store.views.replacement.ViewsInUseError: another process has the damaged views open.
        pathbook.ledger.store.views.replacement.ViewsKnowMoreError: the log lacks events that the views know.
        Exception: as Storage.
    """

    def rebuild() -> None:
        storage = Storage(path, clock, database=database, lapses=False, allow_event_loss=True)
        with contextlib.closing(storage):
            storage.require_whole_views()
            storage.follower.rebuild(progress)

    try:
        rebuild()
    except DatabaseDamagedError as damage:
        if damage.is_log:
            raise
        _replace_views(path, database)
        rebuild()


def _replace_views(path: Path, database: str) -> None:
    events = open_engine(database or path / EVENTS_FILE, purpose="events")
    views = open_engine(database or path / VIEWS_FILE, purpose="views")
    try:
        replace_views(views, Stream(events))
    finally:
        views.dispose()
        events.dispose()


def damage_reason(error: Exception) -> str:
    """Return the name of an error that tells of damage, as calls that fail have it."""
    if isinstance(error, DatabaseDamagedError):
        return "LOG_DAMAGED" if error.is_log else "VIEWS_DAMAGED"
    return "EVENT_DAMAGED"
