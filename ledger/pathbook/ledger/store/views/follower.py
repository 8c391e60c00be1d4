"""The follower: it reads events from the log and updates the views, and moves the tracking position with them."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import sqlalchemy as sa
import structlog
from eventsourcing.persistence import PersistenceError
from sqlalchemy import Connection, Engine

from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.report import Report
from pathbook.ledger.store.custody.tables import open_custody
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import open_bulk_engine, writing
from pathbook.ledger.store.database.notify import ALL_BOOKS, POLL_INTERVAL_S, NotificationListener
from pathbook.ledger.store.database.open_files import FileChangedError, look_at, require_unchanged
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.reports.positions import built_at
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views.completeness import (
    Progress,
    complete_at,
    empty_views,
    has_unfinished,
    known_head,
    progress_of_part,
    record_unfinished,
)
from pathbook.ledger.store.views.projector import Projector
from pathbook.ledger.store.views.rebuild_worker import FoldedGroup, rebuild_worker
from pathbook.ledger.store.views.report_follower import ReportFollower
from pathbook.ledger.store.views.retries import Retries
from pathbook.ledger.store.views.statistics import GrowthStatistics
from pathbook.ledger.store.views.stopped_books import StoppedBooks, StoppingError, read_known
from pathbook.ledger.store.views.tables import VIEWS
from pathbook.ledger.store.views.tracking import TRACKING, SQLAlchemyTrackingRecorder
from pathbook.ledger.store.views.waiters import PositionWaiters
from pathbook.ledger.store.views.writer import open_views

GROUP_MAX_EVENTS = 10_000
"""The most events projected in one transaction: enough to share its cost, few enough to keep readers current."""

REBUILD_WORKER_MIN_EVENTS = 50_000
"""Up to this many events are rebuilt without a second process. Most of them would be done before it has started."""

LOG_POLL_INTERVAL_S = 5.0
"""How often a follower polls the log although notifications arrive. A lost connection may lose a notification."""

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
        drops: bool = False,
        builds_reports: bool | None = None,
        reports: Sequence[Report] = REPORTS,
    ) -> None:
        """Open the views. Those of an older version are migrated. With ``drops``, they are emptied and rebuilt.

        A report that is new, or has a new version, is built beside the views, which do not wait for it. Without
        ``builds_reports``, another process builds them. By default a follower that projects does, and no other one.

        Raises:
            pathbook.ledger.store.database.format.UnknownFormatError: the views are of a newer version.
        """
        self._stream, self._engine, self._events_at_once = stream, views_engine, events_at_once
        self._projects = projects
        self._writing_engine = open_bulk_engine(views_engine)
        with persistence_errors():
            open_views(views_engine)
            open_custody(views_engine)
        self._recorder = SQLAlchemyTrackingRecorder(views_engine)
        builds = projects if builds_reports is None else builds_reports
        self.reports = ReportFollower(
            stream, views_engine, self._writing_engine, reports, builds=builds, alone=not projects
        )
        projected = 0
        if projects:
            with persistence_errors(), writing(views_engine) as connection:
                if drops:
                    _LOG.warning("rebuilding the views: they may hold events that this log does not have")
                    self._empty(connection)
                record_unfinished(connection, self._stream)
                projected = sum(connection.execute(sa.select(TRACKING.c.notification_id)).scalars())
        if builds:
            self.reports.remove_replaced()
        kept = [*VIEWS.sorted_tables, *map(table_of, reports)]
        self._statistics = GrowthStatistics(self._writing_engine, kept, projected)
        self._listener = NotificationListener(views_engine, self._wake, stream.outages, looks=not projects)
        self._projector = Projector(self._writing_engine, self._recorder)
        self._projecting = threading.Lock()
        self._awaited = PositionWaiters()
        self._changed = threading.Condition()
        self._woken: set[str] = set()
        self._closing = self._rebuilding = False
        self._retries = Retries(stream.outages)
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
        self.reports.close()

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
        self,
        book: str,
        progress: Progress | None = None,
        *,
        enough: Callable[[], bool] = lambda: False,
        with_reports: bool = True,
    ) -> int:
        """Update the views of a book to its head, then its reports. Return the position that the views reach.

        Or end after a group of events once ``enough`` returns true, and leave the reports that are not level.

        Raises:
            pathbook.ledger.codec.NewerEventError: the log holds an event that is newer than this program. The views
                hold all events before it.
            pathbook.ledger.store.log.damage.EventDamagedError: an event is not what was written. As above.
            pathbook.ledger.codec.MalformedEventError: what was written is not an event.
            eventsourcing.persistence.PersistenceError: the database fails.
            FileChangedError: a file of the views was removed, replaced or cut.
        """
        try:
            position = self._catch_up_views(book, progress, enough)
        finally:
            if with_reports and not enough():
                self.reports.catch_up(book)
        return position

    def _catch_up_views(self, book: str, progress: Progress | None, enough: Callable[[], bool]) -> int:
        head, position = known_head(self._stream, book), self.position(book)
        while not self._closing:
            self._awaited.reached(book, position)
            self.reports.allow(book, position)
            if progress is not None:
                progress(position, max(position, head))
            require_unchanged(self._engine)
            events, stopping = read_known(self._stream, book, position, self._events_at_once)
            if events:
                position = self._project(book, position, events)
                self._statistics.count(len(events))
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
            built_at(connection, book, through)

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
                    self._empty(connection)
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

    def rebuild_report(self, report: Report, progress: Progress | None = None) -> None:
        """Drop a report and rebuild it from the log, in every book, as far as the views go. The views stay."""
        self.reports.rebuild(report, {book: self.position(book) for book in self._stream.books()}, progress)

    def _empty(self, connection: Connection) -> None:
        empty_views(connection)
        self.reports.empty_on(connection)

    def _project_with_worker(self, book: str, progress: Progress | None, head: int) -> None:
        """Update the views of a book alone while the worker starts, then write what it folds, until it ends."""
        with rebuild_worker(self._stream.engine, self._engine, book, self._events_at_once) as worker:
            position = self.catch_up(book, progress, enough=worker.ready)
            for group in worker.groups(position):
                if self._closing or not self._write_group(book, group):
                    return
                worker.written(group.last)
                self._statistics.count(group.last - group.after)
                if progress is not None:
                    progress(group.last, max(group.last, head))

    def _write_group(self, book: str, group: FoldedGroup) -> bool:
        """Write a group of the worker. Return whether the views were at the position where the group begins."""
        with self._projecting:
            written = self._projector.write_group(book, group)
        if written:
            self.reports.take(book, group.after, group.last, lambda report: group.reports.get(report.title))
        return written

    def _project(self, book: str, after: int, events: list[RecordedEvent]) -> int:
        """Write the changes of the events after a position. Return the position that the views have then."""
        with self._projecting:
            if not self._projector.project(book, after, events):
                return self.position(book)
        self._awaited.reached(
            book, events[-1].position
        )  # who waits for the views need not wait for the reports
        self.reports.follow(book, after, events)
        return events[-1].position

    def look_at_files(self) -> bool:
        """Look whether files of the log or the views were removed, replaced or cut. It takes a few microseconds.

        If the views are lost, the callers that wait for them get the error. If the log is lost, the views still get
        what was recorded: they are then the last copy.
        """
        log, views = look_at(self._stream.engine), look_at(self._engine)
        if views is not None:
            for book in self._awaited.books():
                self._awaited.failed(book, views)
        return (log or views) is not None

    def _wake(self, book: str) -> None:
        with self._changed:
            self._woken.add(book)
            self._changed.notify_all()

    def _follow(self) -> None:
        last_poll = 0.0
        while True:
            interval = self._poll_interval()
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closing or self._woken,
                    self.reports.rests.until_next(self._retries.until_next(interval)),
                )
                books, self._woken = self._woken | self._retries.due() | self.reports.rests.ended(), set()
            if self._closing:
                return
            self.look_at_files()
            # An append of another process may come without a notification.
            if ALL_BOOKS in books or time.monotonic() - last_poll >= interval:
                books, last_poll = (books - {ALL_BOOKS}) | self._books_to_check(), time.monotonic()
            for book in books:
                self._catch_up_or_log(book)
                if not self._rebuilding and self.reports.build_or_rest(book):
                    self._wake(book)

    def _poll_interval(self) -> float:
        """How long to wait at most before the next poll."""
        if self._projects or self.reports.builds:
            return LOG_POLL_INTERVAL_S if self._stream.has_notifications else POLL_INTERVAL_S
        return POLL_INTERVAL_S

    def _books_to_check(self) -> set[str]:
        if not (self._projects or self.reports.builds):
            return self._awaited.books() | self.reports.awaited_books()
        try:
            books = set(self._stream.books())
        except (PersistenceError, DatabaseDamagedError) as error:
            self._retries.failed(ALL_BOOKS, error)
            return set()
        self._retries.succeeded(ALL_BOOKS)
        return books

    def _catch_up_or_log(self, book: str) -> None:
        """Catch up, and survive any error: other books must go on, and this book is retried later."""
        if self._rebuilding:
            self._retries.forget(book)  # at its end, all books are checked
            return
        if self._retries.is_early(book):
            if (lasting := self._retries.lasting(book)) is not None:
                self._awaited.failed(book, lasting)
            return
        try:
            stopping = self._stopped.get(book)
            if isinstance(stopping, NewerEventError):
                if book in self._awaited.books():
                    self._awaited.ended(book, self.position(book), stopping)
                return
            if self._projects:
                # A report that is behind gets its turn after a group of the views, even if they are never level.
                self.catch_up(book, enough=lambda: self._has_other_work(book), with_reports=False)
            else:
                position = self.position(book)
                self._awaited.reached(book, position)
                self.reports.allow(book, position)
                self._look_beyond(book, position, again=stopping is not None)
                self._stopped.go_on(book)
            self._retries.succeeded(book)
        except NewerEventError as error:
            self._stopped.stop(book, error)
            self._retries.forget(book)
            self._awaited.failed(book, error)
        except FileChangedError as error:  # it is logged where it is found
            self._awaited.failed(book, error)
        except Exception as error:  # noqa: BLE001 -- callers that wait get any error, and it is logged
            if isinstance(error, EventDamagedError):
                self._stopped.stop(book, error)
            if self._retries.failed(book, error):
                self._awaited.failed(book, error)

    def _has_other_work(self, book: str) -> bool:
        return self._rebuilding or self.reports.wants_turn(book)

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
