"""The storage of a server: the log, the views, and the keys of the codes, in a directory or partly in a database."""

import contextlib
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from pathbook.ledger.book import Previews
from pathbook.ledger.books import Books
from pathbook.ledger.deadlines import PRECEDENCE_US, DeadlineWatch
from pathbook.ledger.queries import Queries
from pathbook.ledger.queries.unit_proofs import UnitProofs
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.sealing import Sealer
from pathbook.ledger.serials import BookKey
from pathbook.ledger.store.custody.reading import CustodyReader
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import open_engine, require_safety, writing
from pathbook.ledger.store.database.open_files import FileChangedError, files_of, look_at
from pathbook.ledger.store.database.places import VIEWS_VERSION, views_file
from pathbook.ledger.store.log.accesses import Accesses
from pathbook.ledger.store.log.api_tokens import ApiTokens
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.clock_looks import ClockLooks
from pathbook.ledger.store.log.code_key import CodeKeysInUse
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.forgetting import forget_lost_events
from pathbook.ledger.store.log.incarnation import ID_BYTES, begin_incarnations
from pathbook.ledger.store.log.people import People
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.ledger.store.views.batch_keys import batch_keys
from pathbook.ledger.store.views.custody_steps import CustodySteps
from pathbook.ledger.store.views.due_offers import DueOffers
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.lost_events import require_log
from pathbook.ledger.store.views.other_places import (
    other_places,
    remove_older_places,
    remove_place,
)
from pathbook.ledger.store.views.replacement import replace_views, require_whole
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.services.checkpoints import CheckpointSigner
from pathbook.services.clock import MachineClock
from pathbook.services.clock_guard import ClockGuard
from pathbook.services.code_keys import CodeKeys
from pathbook.services.key_file import keys_of, make_key, secrets_of
from pathbook.services.person_cipher import FileCipher
from pathbook.services.progress import ProgressReader
from pathbook.services.signing import SigningError

EVENTS_FILE: Final = "events.sqlite"
"""The log, which must be kept."""

VIEWS_FILE: Final = views_file()
"""The views of this version, which may be dropped and are rebuilt from the log."""

DIRECTORY_MODE: Final = 0o700
"""The mode of a directory that is made: only its owner may look into it."""

FINISH_TIMEOUT_S: Final = 1.0
"""How long commands that are still queued are decided when the books are closed. Then they fail, as no caller was
told that they are recorded."""

CLOSE_TIMEOUT_S: Final = 3.0
"""How long it takes at most to close the books: a group of events that is being written takes less than a second, but a
database may not answer at all."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


DAMAGE: Final = (EventDamagedError, DatabaseDamagedError)
"""The errors that tell of damage: no call can mend it, and no retry helps."""


class Storage:
    """The open storage of one data directory. Several servers may have the same directory open at once.

    Attributes:
        stream: the log.
        tree: the trees over the log.
        checkpoints: the signed checkpoints.
        tokens: the API tokens.
        accesses, people: the access log, and the directory of people, whose keys seal the notes.
        signer: signs checkpoints.
        keys: the keys of the codes.
        follower: updates the views, or only reads their position if another process updates them.
        books: the books, for writing.
        previews: what the books would decide.
        queries: the read API.
        progress: reads how far the views are behind.
        deadlines: ends the offers whose deadline passes, unless the storage was opened without.
        sealer: seals the books, if the storage was opened for it. `Sealer.on_seal` tells of each seal.
        custody: reads the heads and the audit paths as of the last seal.
        unit_proofs: makes the proofs of units.
    """

    def __init__(  # noqa: PLR0913 - an argument for each choice of an operator
        self,
        path: Path,
        clock: Callable[[], int] | MachineClock,
        *,
        database: str = "",
        projects: bool = True,
        builds_reports: bool | None = None,
        beside_writers: bool = False,
        lapses: bool = True,
        seals: bool = False,
        allow_event_loss: bool = False,
        accept_lost_events: bool = False,
        views_version: str = VIEWS_VERSION,
    ) -> None:
        """Open the storage; make the directory if it is missing.

        Args:
            path: the directory. It holds the keys of the codes, and the books if no database is named.
            clock: returns microseconds since 1970 UTC, and is believed. A MachineClock is guarded: beyond a day from
                the time that is expected, nothing is written and nothing lapses until an operator confirms it.
            database: the URL of a PostgreSQL database that holds the books, "" for none.
            projects: whether to update the views; if not, another process has to.
            builds_reports: whether to build the reports. None: if this process updates the views.
            beside_writers: whether other processes record events, whose views this one updates.
            lapses: whether to watch the deadlines of offers. An offer that passes its own lapses.
            seals: whether to seal the books, if this process updates the views.
            allow_event_loss: whether to accept a database that may lose events it has acknowledged.
            accept_lost_events: whether to go on with a log that has lost events. The views are then emptied, and those
                of other versions are removed.
            views_version: the version of the views, each of which has a place of its own.

        Raises:
            pathbook.ledger.store.log.file_mark.NewestEventsMissingError: the log lacks its write-ahead log.
            pathbook.ledger.store.views.lost_events.LostEventsError: the log lacks events. Nothing was changed.
            pathbook.services.key_file.UnusableKeyError: a key is missing or damaged, or the keys are of other books.
            pathbook.ledger.store.database.engine.UnsafeLogError: the database may lose events.
            pathbook.ledger.store.database.format.UnknownFormatError: another version of Pathbook wrote the books.
            pathbook.ledger.store.database.damage.DatabaseDamagedError: the log or the views are damaged.
            pathbook.ledger.store.views.replacement.ViewsInUseError: a process has views open that must be removed.
            eventsourcing.persistence.PersistenceError: the database cannot be reached, or refuses.
            OSError: the directory cannot be made, read or written.
            ValueError: Pathbook cannot open such a URL.
        """
        path.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        self._events_engine = open_engine(database or path / EVENTS_FILE, purpose="events")
        where = database or path / views_file(views_version)
        self._views_engine = open_engine(where, purpose="views", version=views_version)
        with contextlib.ExitStack() as stack:
            stack.callback(self._dispose)
            if not allow_event_loss:
                with persistence_errors():
                    require_safety(self._events_engine)
            require_log(
                self._events_engine,
                self._views_engine,
                has_key=keys_of(path).exists(),
                accept_lost_events=accept_lost_events,
            )
            self.stream = Stream(self._events_engine, beside_writers=beside_writers)
            self.tree = LogTree(self.stream)
            self.checkpoints = Checkpoints(self._events_engine)
            self.tokens = ApiTokens(self._events_engine)
            self.accesses = Accesses(self._events_engine)
            self.signer = CheckpointSigner(secrets_of(path), self.stream, self.tree, self.checkpoints)
            if accept_lost_events:
                with persistence_errors(), other_places(self._views_engine) as others:
                    for other in others:
                        remove_place(self._views_engine, other)
                    forget_lost_events(self._events_engine)
                self.tree.drop()
                self._begin_incarnations()
            self.follower = Follower(
                self.stream,
                self._views_engine,
                projects=projects,
                drops=accept_lost_events,
                builds_reports=builds_reports,
            )
            with persistence_errors():
                for engine in (self._events_engine, self._views_engine):
                    if (opened := files_of(engine)) is not None:
                        opened.watch(engine)
            if projects:
                with persistence_errors():
                    remove_older_places(self._views_engine, self.stream)
            with persistence_errors():
                of_batches = batch_keys(self._views_engine)
            in_use = CodeKeysInUse(self._events_engine)
            self.keys = CodeKeys(keys_of(path), in_use, of_batches, make=not self.stream.books())
            self.people = People(self.stream, FileCipher(self.keys))
            with contextlib.suppress(SigningError, OSError):  # told when something is to be signed
                self.signer.make_key()
            self._guard: ClockGuard | None = None
            if isinstance(clock, MachineClock):
                clock = self._guard = ClockGuard(clock, ClockLooks(self._events_engine), self.stream)
            stack.pop_all()
        loader = StateLoader(self.stream, self._views_engine, SQLAlchemyTrackingRecorder(self._views_engine))
        self.books = Books(self.stream, loader, self.follower, clock)
        self.previews = Previews(self.stream, loader, self.follower, clock)
        self.queries = Queries(self.stream, self._views_engine)
        self.progress = ProgressReader(self.stream, self._views_engine, self.checkpoints)
        self.deadlines = DeadlineWatch(
            self.books,
            self.stream,
            DueOffers(self._views_engine),
            self.follower,
            clock,
            precedence_us=0 if projects else PRECEDENCE_US,
        )
        self.custody = CustodyReader(self._views_engine)
        self.unit_proofs = UnitProofs(self.stream, self.custody, self.tree, self.checkpoints)
        self.sealer = Sealer(
            self.books, self.stream, self.follower, CustodySteps(self._views_engine, self.stream)
        )
        self.follower.start()
        if self._guard is not None:
            self._guard.start()
        if lapses:
            self.deadlines.start()
        self.sealer.on_seal(self._sign)
        if seals and projects:
            self.sealer.start()

    def close(self) -> None:
        """Finish the writes that are under way, then close the databases: in CLOSE_TIMEOUT_S, whatever happens.

        What takes longer is left to its threads, which end with the process. All that was acknowledged is on disk.
        """
        closing = threading.Thread(target=self._close, name="closing", daemon=True)
        closing.start()
        closing.join(FINISH_TIMEOUT_S)
        self.books.give_up()
        closing.join(CLOSE_TIMEOUT_S - FINISH_TIMEOUT_S)
        if closing.is_alive():
            _LOG.error("the books were not closed in time", seconds=CLOSE_TIMEOUT_S)

    def _close(self) -> None:
        self.follower.close()  # first: it ends the waiting of a writer that waits for the views
        self.deadlines.close()
        self.sealer.close()
        if self._guard is not None:
            self._guard.close()
        self.books.close()
        self.stream.close()
        self._dispose()

    def _sign(self, book: str, size: int) -> None:
        """Sign the checkpoint whose last leaf is a seal. If that is refused, the next seal asks again."""
        try:
            self.signer.sign_checkpoint(book, size)
        except SigningError as error:
            _LOG.error("a checkpoint was not signed", book=book, reason=error.reason.name, problem=str(error))

    def require_views(self) -> None:
        """Refuse to read views whose files were removed, replaced or cut: they may be old.

        Raises:
            FileChangedError: the follower or a writer found that.
        """
        if (files := files_of(self._views_engine)) is not None and files.error is not None:
            raise files.error

    def look_at_files(self) -> FileChangedError | None:
        """Return what was found of files that were removed, replaced or cut: of the log, else of the views."""
        return look_at(self._events_engine) or look_at(self._views_engine)

    def on_change_of_files(self, listener: Callable[[], None]) -> None:
        """Register a listener. It is called when a file that is open here was removed, replaced or cut."""
        for engine in (self._events_engine, self._views_engine):
            if (files := files_of(engine)) is not None:
                files.on_change(listener)

    def _begin_incarnations(self) -> None:
        """Let each book go on as another incarnation: readers may have events that the log lost."""
        found = {book: self.stream.head(book) for book in self.stream.books()}
        with persistence_errors(), writing(self._events_engine) as connection:
            begin_incarnations(connection, {book: secrets.token_hex(ID_BYTES) for book in found}, found)

    def require_whole_views(self) -> None:
        """Require that the views are not damaged, as far as their database can tell.

        Raises:
            pathbook.ledger.store.database.damage.DatabaseDamagedError: they are damaged.
        """
        with persistence_errors():
            require_whole(self._views_engine)

    def _dispose(self) -> None:
        engines = (self._views_engine, self._events_engine)
        for engine in engines:
            if (files := files_of(engine)) is not None:
                files.close()
        for engine in engines:
            engine.dispose()


def require_found_log(path: Path, database: str, *, accept_lost_events: bool = False) -> bool:
    """Refuse books whose log is lost, wholly or in part (unless that is accepted), while the rest of them is there.

    Return whether a directory, or its database (else ""), has a log. This creates nothing.

    Raises:
        NewestEventsMissingError, LostEventsError: the log has lost events.
        eventsourcing.persistence.PersistenceError: the database cannot be reached.
    """
    events = open_engine(database or path / EVENTS_FILE, purpose="events")
    views = open_engine(database or path / VIEWS_FILE, purpose="views")
    try:
        has_key = keys_of(path).exists()
        return require_log(events, views, has_key=has_key, accept_lost_events=accept_lost_events)
    finally:
        events.dispose()
        views.dispose()


def begin_with_key(path: Path, key: BookKey) -> None:
    """Make an empty log in a new directory, and the file with the key of its codes beside it.

    Raises:
        OSError: a file cannot be written.
        eventsourcing.persistence.PersistenceError: as Storage.
    """
    path.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    engine = open_engine(path / EVENTS_FILE, purpose="events")
    try:
        Stream(engine).close()  # first: a key without a log is a sign of loss
        make_key(keys_of(path), key)
    finally:
        engine.dispose()


def rebuild_views(
    path: Path,
    database: str,
    clock: Callable[[], int],
    progress: Callable[[int, int], None],
    *,
    accept_lost_events: bool = False,
    only: str = "",
) -> None:
    """Rebuild the views and reports of all books in a directory, or in its database (else "").

    Damaged ones are replaced. With ``only``, a report of that name is rebuilt, and all else stays as it is.

    ``progress`` is called with the number of events done, and the total. With ``accept_lost_events``, the log may have
    lost events.

    Raises:
        pathbook.ledger.store.log.damage.EventDamagedError: an event is damaged. The rest is rebuilt as far as possible.
        pathbook.ledger.store.views.replacement.ViewsInUseError: another process has the damaged views open.
        pathbook.ledger.store.views.replacement.ViewsKnowMoreError: the log lacks events that the views know.
        Exception: as Storage.
    """

    def rebuild() -> None:
        storage = Storage(
            path,
            clock,
            database=database,
            lapses=False,
            allow_event_loss=True,
            accept_lost_events=accept_lost_events,
        )
        with contextlib.closing(storage):
            if only:
                (report,) = [report for report in REPORTS if report.name == only]
                storage.follower.rebuild_report(report, progress)
                return
            storage.require_whole_views()
            storage.follower.rebuild(progress)

    try:
        rebuild()
    except DatabaseDamagedError as damage:
        if damage.is_log or only:
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
