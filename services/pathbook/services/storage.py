"""What a server opens: the log, the views, and the key of the codes, in a directory or a database beside it."""

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pathbook.ledger.books import Books
from pathbook.ledger.queries import Queries
from pathbook.ledger.serials import KEY_BYTES, BookKey, parse_book_key, print_book_key
from pathbook.ledger.store.database.engine import open_engine, require_safety
from pathbook.ledger.store.log.code_key import is_code_key
from pathbook.ledger.store.log.stream import Stream, has_log, persistence_errors
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder

EVENTS_FILE: Final = "events.sqlite"
"""The log: what must be kept."""

VIEWS_FILE: Final = "views.sqlite"
"""The views: what may be dropped, and is made again from the log."""

KEY_FILE: Final = "codes.key"
"""The key that codes are made with, beside the log and never in it; only its owner may read it."""


class UnusableKeyError(Exception):
    """There are books here, but the key that their codes were printed with is missing or damaged."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} {problem}, and without the right one no code printed so far can be read."
            " Put it back from your copy."
            " Nothing was changed, and no new key was made: it would print other codes."
        )


class Storage:
    """Everything of one data directory, open. Several servers may have the same one open at once."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], int],
        *,
        database: str = "",
        projects: bool = True,
        allow_event_loss: bool = False,
    ) -> None:
        """Open a directory, made where it is missing.

        Args:
            path: of the directory, which holds the key of the codes, and the books where no database is named.
            clock: returns microseconds since 1970 UTC.
            database: the URL of a PostgreSQL that holds the books, "" for none.
            projects: whether to carry the views; else another process does.
            allow_event_loss: whether a database may acknowledge events that it may lose.

        Raises:
            UnusableKeyError, pathbook.ledger.store.database.engine.UnsafeLogError: see there.
            pathbook.ledger.store.database.engine.UnknownFormatError: it was written by another version of this program.
            eventsourcing.persistence.PersistenceError: the database cannot be reached, or refuses.
            OSError: it cannot be made, read or written.
            ValueError: the URL is none that Pathbook opens.
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
            self.key = read_key(path / KEY_FILE, make=not self.stream.books())
            with persistence_errors():
                is_theirs = is_code_key(self._events_engine, hashlib.sha256(self.key.secret).digest())
            if not is_theirs:
                raise UnusableKeyError(path / KEY_FILE, "is the key of other books")
            self.follower = Follower(self.stream, self._views_engine, projects=projects)
            stack.pop_all()
        loader = StateLoader(self.stream, self._views_engine, SQLAlchemyTrackingRecorder(self._views_engine))
        self.library = Books(self.stream, loader, self.follower, clock)
        self.queries = Queries(self.stream, self._views_engine)
        self.follower.start()

    def close(self) -> None:
        """Finish what is being written, then close the database."""
        self.follower.close()  # first, so that a writer that waits for the views waits no longer
        self.library.close()
        self.stream.close()
        self._dispose()

    def _dispose(self) -> None:
        self._views_engine.dispose()
        self._events_engine.dispose()


def has_books(path: Path, database: str) -> bool:
    """Tell whether books were ever opened in a directory, or in the database beside it (else ""); make nothing.

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


def read_key(path: Path, *, make: bool) -> BookKey:
    """Return the key in a file, which may be made where it is missing.

    Raises:
        UnusableKeyError: it is missing and may not be made, or holds no key.
    """
    if make and not path.exists():
        make_key(path)
    try:
        return parse_book_key(path.read_text("ascii"))
    except FileNotFoundError:
        raise UnusableKeyError(path, "is missing") from None
    except ValueError as error:
        raise UnusableKeyError(path, f"cannot be used ({error})") from None


def make_key(path: Path) -> None:
    """Write a new key to a file that is there wholly or not at all; of two writers the first one's stays."""
    written, name = tempfile.mkstemp(dir=path.parent, prefix=KEY_FILE)  # only its owner may read it
    try:
        with os.fdopen(written, "w", encoding="ascii") as file:
            file.write(print_book_key(BookKey(secrets.token_bytes(KEY_BYTES))))
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        pass  # another server was first
    finally:
        Path(name).unlink()
