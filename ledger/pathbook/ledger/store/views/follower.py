"""The follower: it reads events from the log and updates the views, and moves the tracking position with them."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import sqlalchemy as sa
import structlog
from eventsourcing.persistence import PersistenceError, Tracking
from sqlalchemy import Connection, Engine

from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.projections.registers import request
from pathbook.ledger.store.database.bulk_write import Row, Statement
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import open_bulk_engine, writing
from pathbook.ledger.store.database.notify import ALL_BOOKS, POLL_INTERVAL_S, NotificationListener, notify
from pathbook.ledger.store.database.planner_stats import refresh_statistics
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.views.completeness import (
    Progress,
    complete_at,
    empty_views,
    has_unfinished,
    in_order,
    known_head,
    progress_of_part,
    record_unfinished,
)
from pathbook.ledger.store.views.rebuild_worker import FoldCache, Folded, FoldedGroup, fold, rebuild_worker
from pathbook.ledger.store.views.stopped_books import StoppedBooks, StoppingError, log_failure, read_known
from pathbook.ledger.store.views.tables import REQUEST, VIEWS
from pathbook.ledger.store.views.tracking import TRACKING, SQLAlchemyTrackingRecorder
from pathbook.ledger.store.views.waiters import PositionWaiters
from pathbook.ledger.store.views.writer import STATEMENTS, open_views, writes

GROUP_MAX_EVENTS = 10_000
"""The most events projected in one transaction: enough to share its cost, few enough to keep readers current."""

REBUILD_WORKER_MIN_EVENTS = 50_000
"""Up to this many events are rebuilt without a second process. Most of them would be done before it has started."""

FIRST_STATISTICS_EVENTS = 500
"""After how many events PostgreSQL is first asked to refresh its statistics of the views. By itself it does
so a minute later, and until then it plans as if the tables were empty."""

VIEWS_POLL_INTERVAL_S = 0.02
"""How often a follower checks whether another process has updated views that callers wait for. This applies
only if the database sends no notifications."""

LOG_POLL_INTERVAL_S = 5.0
"""How often a follower polls the log although notifications arrive. A lost connection may lose a notification."""

BOOK_RETRY_DELAY_S = 5.0
"""How long a follower waits before it retries a book that it could not update."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Follower:
    """Updates the views of every book of a log. A book's rows and its tracking position move in one transaction.

    A follower that does not project only reads the position of the views, while another process projects.

    Any number of followers, in any processes, may update the same views. Of two at the same position only one
    writes, and the other continues after it. Threads may share a follower.
    """

    def __init__(
        self,
        stream: Stream,
        views_engine: Engine,
        events_at_once: int = GROUP_MAX_EVENTS,
        *,
        projects: bool = True,
    ) -> None:
        """Open the views. Those of an older version are migrated, and those of another log are dropped and rebuilt.

        Raises:
            pathbook.ledger.store.database.engine.UnknownFormatError: the views are of a newer version.
        """
        self._stream, self._engine, self._events_at_once = stream, views_engine, events_at_once
        self._projects = projects
        self._writing_engine = open_bulk_engine(views_engine)
        with persistence_errors():
            open_views(views_engine)
        self._recorder = SQLAlchemyTrackingRecorder(views_engine)
        self._projected = 0
        if projects:
            with persistence_errors(), writing(views_engine) as connection:
                if self._is_of_another_log(connection):
                    _LOG.warning("rebuilding the views: they hold events that this log does not have")
                    empty_views(connection)
                record_unfinished(connection, self._stream)
                positions = connection.execute(sa.select(TRACKING.c.notification_id)).scalars()
                # Statistics for these events exist, or PostgreSQL makes them by itself within a minute.
                self._projected = sum(positions)
        self._listener = NotificationListener(views_engine, self._wake)
        self._cache = FoldCache()
        self._projecting = threading.Lock()
        self._statistics_at = max(FIRST_STATISTICS_EVENTS, 2 * self._projected)
        self._awaited = PositionWaiters()
        self._changed = threading.Condition()
        self._woken: set[str] = set()
        self._closing = self._rebuilding = False
        self._retry_at: dict[str, tuple[float, Exception]] = {}
        self._stopped = StoppedBooks()
        self._looked_beyond: dict[str, int] = {}
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)

    def start(self) -> None:
        """Follow every book in a separate thread, until `close`."""
        if self._projects:
            self._stream.on_append(self._wake)
        self._listener.start()
        self._thread.start()

    def close(self) -> None:
        """Stop after the group that is being written. The futures that callers still wait for are cancelled."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._listener.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._awaited.close()

    def position(self, book: str) -> int:
        """The position that the views of a book have reached, or 0 if they were never updated."""
        return self._recorder.max_tracking_id(book) or 0

    def reached(self, book: str, position: int) -> Future[int]:
        """A future that gives the position of a book's views, as soon as they have reached the given position.

        It fails with the error that keeps the views from being updated, such as an event that is newer than this
        program. `close` cancels it.
        """
        future = self._awaited.add(book, position)
        self._awaited.reached(book, self.position(book))
        if not future.done():
            self._wake(book)
        return future

    def catch_up(
        self, book: str, progress: Progress | None = None, *, enough: Callable[[], bool] = lambda: False
    ) -> int:
        """Update the views of a book to its head, or until ``enough`` returns true. Return the position they reach.

        Raises:
            pathbook.ledger.codec.NewerEventError: the log holds an event that is newer than this program. The views
                hold all events before it.
            pathbook.ledger.store.log.damage.EventDamagedError: an event is not what was written. As above.
            pathbook.ledger.codec.MalformedEventError: what was written is not an event.
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        head, position = known_head(self._stream, book), self.position(book)
        while not self._closing:
            self._awaited.reached(book, position)
            if progress is not None:
                progress(position, max(position, head))
            events, stopping = read_known(self._stream, book, position, self._events_at_once)
            if events:
                position = self._project(book, position, events)
                self._refresh_statistics(len(events))
            if stopping is not None:
                self._awaited.reached(book, position)
                self._stop_before(book, stopping)
                raise stopping
            self._stopped.go_on(book)
            if not events or enough():
                break
        return position

    def within_reach(self, book: str, head: int) -> int:
        """The last position up to a head that this program can project: before an event that is newer, or damaged."""
        return self._stopped.within_reach(book, head)

    def damage(self, book: str) -> EventDamagedError | None:
        """The damaged event before which the views of a book end, or None if this program knows of none."""
        return self._stopped.damage(book)

    def _stop_before(self, book: str, error: StoppingError) -> None:
        """Note that this program cannot go beyond an event. If it is newer, the views before it count as complete."""
        self._stopped.stop(book, error)
        through = error.position - 1
        if isinstance(error, EventDamagedError) or self.position(book) != through:
            return
        with persistence_errors(), writing(self._writing_engine, turn=book) as connection:
            complete_at(connection, book, through)

    def _refresh_statistics(self, projected: int) -> None:
        """Have PostgreSQL refresh its statistics each time that the number of projected events has doubled."""
        self._projected += projected
        if self._engine.dialect.name == "postgresql" and self._projected >= self._statistics_at:
            with persistence_errors(), writing(self._writing_engine, turn=None) as connection:
                refresh_statistics(VIEWS, connection)
            self._statistics_at = 2 * self._projected

    def rebuild(self, progress: Progress | None = None) -> None:
        """Drop all views and rebuild them from the log. A rebuild that was interrupted continues instead.

        A book with an event that is newer than this program, or damaged, is rebuilt up to that event. The other books
        go on.

        Raises: as `catch_up`. The error of such an event is raised after all books are rebuilt as far as possible.
        """
        stopping: StoppingError | None = None
        self._stopped = StoppedBooks()
        self._rebuilding = True  # the follower's thread stops after the group that it is writing
        try:
            with self._projecting, persistence_errors(), writing(self._engine) as connection:
                if not has_unfinished(connection):
                    empty_views(connection)
                    record_unfinished(connection, self._stream)
            heads = {book: known_head(self._stream, book) for book in self._stream.books()}
            total, before = sum(heads.values()), 0
            for book, head in heads.items():
                part = progress_of_part(progress, before, total)
                try:
                    if head - self.position(book) > REBUILD_WORKER_MIN_EVENTS:
                        self._project_with_worker(book, part, head)
                    self.catch_up(book, part)
                except (NewerEventError, EventDamagedError) as error:
                    self._stopped.stop(book, error)
                    stopping = stopping or error
                before += head
        finally:
            self._rebuilding = False
            self._wake(ALL_BOOKS)
        if stopping is not None:
            raise stopping

    def _project_with_worker(self, book: str, progress: Progress | None, head: int) -> None:
        """Update the views of a book alone while the worker starts, then write what it folds, until it ends."""
        with rebuild_worker(self._stream.engine, self._engine, book, self._events_at_once) as worker:
            position = self.catch_up(book, progress, enough=worker.ready)
            for group in worker.groups(position):
                if self._closing or not self._write_group(book, group):
                    return
                worker.written(group.last)
                self._refresh_statistics(group.last - group.after)
                if progress is not None:
                    progress(group.last, max(group.last, head))

    def _write_group(self, book: str, group: FoldedGroup) -> bool:
        """Write a group of the worker. Return whether the views were at the position where the group begins."""

        def statements(_connection: Connection) -> Iterable[tuple[Statement, list[Row]]]:
            return [(STATEMENTS[index], rows) for index, rows in group.writes]

        with self._projecting:
            return self._write(book, group.after, group.last, statements)

    def _project(self, book: str, after: int, events: list[RecordedEvent]) -> int:
        """Write the changes of the events after a position. Return the position that the views have then."""
        done: list[Folded] = []

        def statements(connection: Connection) -> Iterable[tuple[Statement, list[Row]]]:
            folded = fold(self._cache, connection, book, after, events)
            done.append(folded)
            return writes(folded.changes, folded.ladder)

        last = events[-1].position
        with self._projecting:
            if self._write(book, after, last, statements):
                self._cache.give_back(book, *done)
                return last
        return self.position(book)

    def _write(
        self,
        book: str,
        after: int,
        last: int,
        statements: Callable[[Connection], Iterable[tuple[Statement, list[Row]]]],
    ) -> bool:
        """Write the changes of the events after a position up to ``last``.

        If the views are not at that position, another follower was first. Then nothing is written.
        """
        with persistence_errors(), in_order(), writing(self._writing_engine, turn=book) as connection:
            tracked = self._recorder.max_tracking_id_on(connection, book) or 0
            if tracked != after:
                return False
            for statement, rows in statements(connection):
                statement.execute(connection, book, rows)
            self._recorder.insert_tracking_on(connection, Tracking(book, last))
            notify(connection, book)
        return True

    def _is_of_another_log(self, connection: Connection) -> bool:
        """Tell whether the last event of the views is not in the log, as after a restored backup of the log."""
        key = sa.tuple_(REQUEST.c.request_hash, REQUEST.c.position)
        for book, position in connection.execute(sa.select(TRACKING)).all():
            for entry in self._stream.at(book, [position]):
                try:
                    row = request(read_event(book, entry))
                except (NewerEventError, EventDamagedError):
                    # A newer program projected it, or it was whole then. So the views are not for this one to drop.
                    break
                if connection.execute(sa.select(REQUEST).where(REQUEST.c.book == book, key == row)).first():
                    break
            else:
                return True
        return False

    def _wake(self, book: str) -> None:
        with self._changed:
            self._woken.add(book)
            self._changed.notify_all()

    def _follow(self) -> None:
        last_poll = 0.0
        while True:
            interval = self._poll_interval()
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._woken, interval)
                books, self._woken = self._woken, set()
            if self._closing:
                return
            # An append of another process may come without a notification.
            if ALL_BOOKS in books or time.monotonic() - last_poll >= interval:
                books, last_poll = (books - {ALL_BOOKS}) | self._books_to_check(), time.monotonic()
            for book in books:
                self._catch_up_or_log(book)

    def _poll_interval(self) -> float:
        """How long to wait at most before the next poll."""
        if self._projects:
            return LOG_POLL_INTERVAL_S if self._stream.has_notifications else POLL_INTERVAL_S
        return (
            VIEWS_POLL_INTERVAL_S
            if self._awaited.books() and not self._listener.has_notifications
            else POLL_INTERVAL_S
        )

    def _books_to_check(self) -> set[str]:
        if not self._projects:
            return self._awaited.books()
        try:
            return set(self._stream.books())
        except (PersistenceError, DatabaseDamagedError) as error:
            log_failure("listing the books failed", error, POLL_INTERVAL_S)
            return set()

    def _catch_up_or_log(self, book: str) -> None:
        """Catch up, and survive any error: other books must go on, and this book is retried later."""
        retry_at, failure = self._retry_at.get(book, (0.0, None))
        if self._rebuilding or time.monotonic() < retry_at:
            if not self._rebuilding and isinstance(failure, (EventDamagedError, DatabaseDamagedError)):
                self._awaited.failed(book, failure)  # it does not pass by itself
            return
        try:
            stopping = self._stopped.get(book)
            if isinstance(stopping, NewerEventError):
                self._end_waits(book, stopping)
                return
            if self._projects:
                self.catch_up(book, enough=lambda: self._rebuilding)
            else:
                position = self.position(book)
                self._awaited.reached(book, position)
                self._look_beyond(book, position, again=stopping is not None)
                self._stopped.go_on(book)
        except NewerEventError as error:
            self._stopped.stop(book, error)
            self._awaited.failed(book, error)
        except Exception as error:  # noqa: BLE001 -- callers that wait get any error, and it is logged
            if isinstance(error, EventDamagedError):
                self._stopped.stop(book, error)
            else:
                log_failure("updating the views of a book failed", error, BOOK_RETRY_DELAY_S, book=book)
            self._retry_at[book] = time.monotonic() + BOOK_RETRY_DELAY_S, error
            self._awaited.failed(book, error)

    def _end_waits(self, book: str, newer: NewerEventError) -> None:
        """End the waits for a book that this program no longer follows, unless a newer program projects it."""
        if book not in self._awaited.books():
            return
        position = self.position(book)
        self._awaited.reached(book, position)
        if position < newer.position:
            self._awaited.failed(book, newer)

    def _look_beyond(self, book: str, position: int, *, again: bool) -> None:
        """Raise NewerEventError if the first event that the views lack is newer than this program, or its damage.

        A server that does not project would otherwise wait for views that another process cannot update.
        """
        looked = self._looked_beyond.get(book) == position and not again
        if looked or not (again or book in self._awaited.books()):
            return
        for entry in self._stream.at(book, [position + 1]):
            self._looked_beyond[book] = position
            read_event(book, entry)
