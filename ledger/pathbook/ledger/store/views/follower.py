"""Carrying the views: how far each book was followed, kept beside the rows that were made of it, and going on."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeAlias

import sqlalchemy as sa
import structlog
from eventsourcing.persistence import PersistenceError, Tracking
from sqlalchemy import Connection, Engine

from pathbook.ledger.codec import decode
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.projections.registers import request
from pathbook.ledger.runs import Partition
from pathbook.ledger.store.database.bulk_write import Row, Statement
from pathbook.ledger.store.database.engine import open_bulk_engine, writing
from pathbook.ledger.store.database.notify import ALL_BOOKS, POLL_INTERVAL_S, NotificationListener, notify
from pathbook.ledger.store.database.planner_stats import refresh_statistics
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.views.rebuild_worker import FoldedGroup, fold, rebuild_worker
from pathbook.ledger.store.views.run_cache import RunCache
from pathbook.ledger.store.views.tables import REFILL, REQUEST, VIEWS
from pathbook.ledger.store.views.tracking import TRACKING, SQLAlchemyTrackingRecorder
from pathbook.ledger.store.views.waiters import PositionWaiters
from pathbook.ledger.store.views.writer import STATEMENTS, open_views, writes

GROUP_MAX_EVENTS = 10_000
"""The most events carried in one transaction: enough to share its cost, few enough to keep readers current."""

REBUILD_WORKER_MIN_EVENTS = 50_000
"""Up to how many events are made anew without another process: a good part of them is done before it has started."""

FIRST_STATISTICS_EVENTS = 500
"""After how many events PostgreSQL is first asked to make statistics of the views: by itself it begins a minute later,
and until then it plans as if the tables were still empty."""

VIEWS_POLL_INTERVAL_S = 0.02
"""How often it is looked whether another process has carried views that somebody waits for, where nobody tells."""

LOG_POLL_INTERVAL_S = 5.0
"""How often it is looked whether anything was appended, where that is told: a notice may be lost with a connection."""

BOOK_RETRY_DELAY_S = 5.0
"""How long a book that could not be carried on is left alone before it is tried again."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many events are done, and of how many."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_UNFINISHED = (
    sa.select(REFILL.c.book)
    .outerjoin(TRACKING, TRACKING.c.application_name == REFILL.c.book)
    .where(sa.func.coalesce(TRACKING.c.notification_id, 0) < REFILL.c.through)
    .limit(1)
)


class Follower:
    """Carries the views of every book of a log; a book's rows and its tracking move in one transaction.

    One that does not carry only knows where the views stand, while another process projects them.

    Any number of followers, in any processes, may carry the same views: of two at the same place one goes on, and
    the other goes on from there. Safe to share between threads.
    """

    def __init__(
        self,
        stream: Stream,
        views_engine: Engine,
        events_at_once: int = GROUP_MAX_EVENTS,
        *,
        projects: bool = True,
    ) -> None:
        """Open the views. Those of an older version or another log are dropped, to be carried from the beginning.

        Raises:
            pathbook.ledger.store.database.engine.UnknownFormatError: they are of a newer version.
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
                if self._of_another_log(connection):
                    _LOG.warning(
                        "views of another log are rebuilt: they know events that this one does not have"
                    )
                    _drop(connection)
                self._expect_whole_books(connection)
                positions = connection.execute(sa.select(TRACKING.c.notification_id)).scalars()
                # these were analysed by whoever carried them, or will be in a minute by PostgreSQL itself
                self._projected = sum(positions)
        self._listener = NotificationListener(views_engine, self._wake)
        self._partitions = RunCache()
        self._projecting = threading.Lock()
        self._statistics_at = max(FIRST_STATISTICS_EVENTS, 2 * self._projected)
        self._awaited = PositionWaiters()
        self._changed = threading.Condition()
        self._woken: set[str] = set()
        self._closing = self._rebuilding = False
        self._rest_until: dict[str, float] = {}
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)

    def start(self) -> None:
        """Follow every book in a thread of its own, until `close`."""
        if self._projects:
            self._stream.on_append(self._wake)
        self._listener.start()
        self._thread.start()

    def close(self) -> None:
        """End after the events being written; the futures of those who still wait are cancelled."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._listener.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._awaited.close()

    def position(self, book: str) -> int:
        """The position at which the views of a book stand, 0 if it was never followed."""
        return self._recorder.max_tracking_id(book) or 0

    def reached(self, book: str, position: int) -> Future[int]:
        """Where the views of a book stand, as soon as that is at a position or beyond.

        The future fails with what keeps the book from being carried on, and is cancelled by `close`.
        """
        future = self._awaited.add(book, position)
        self._awaited.reached(book, self.position(book))
        if not future.done():
            self._wake(book)
        return future

    def catch_up(
        self, book: str, progress: Progress | None = None, *, enough: Callable[[], bool] = lambda: False
    ) -> int:
        """Carry the views of a book to its head, or until that is said to be enough; return where they stand.

        Raises:
            pathbook.ledger.codec.MalformedEventError: the log holds bytes that are no event.
            eventsourcing.persistence.PersistenceError: the database refuses.
        """
        head, position = self._stream.head(book), self.position(book)
        while not self._closing:
            self._awaited.reached(book, position)
            if progress is not None:
                progress(position, max(position, head))
            entries = self._stream.read(book, position, self._events_at_once)
            if not entries:
                break
            position = self._project(
                book, position, [decode(entry.position, entry.data) for entry in entries]
            )
            self._refresh_statistics(len(entries))
            if enough():
                break
        return position

    def _refresh_statistics(self, carried: int) -> None:
        """Have PostgreSQL look at the views again whenever twice as many events were carried as when it last did."""
        self._projected += carried
        if self._engine.dialect.name == "postgresql" and self._projected >= self._statistics_at:
            with persistence_errors(), writing(self._writing_engine, turn=None) as connection:
                refresh_statistics(VIEWS, connection)
            self._statistics_at = 2 * self._projected

    def rebuild(self, progress: Progress | None = None) -> None:
        """Drop all views and carry every book from its beginning; one that was interrupted goes on instead.

        Raises: as `catch_up`.
        """
        self._rebuilding = True  # the thread that follows leaves off after the events it is writing
        try:
            with self._projecting, persistence_errors(), writing(self._engine) as connection:
                if connection.execute(_UNFINISHED).first() is None:
                    _drop(connection)
                    self._expect_whole_books(connection)
            heads = {book: self._stream.head(book) for book in self._stream.books()}
            total, before = sum(heads.values()), 0
            for book, head in heads.items():
                part = _as_part(progress, before, total)
                if head - self.position(book) > REBUILD_WORKER_MIN_EVENTS:
                    self._project_with_worker(book, part, head)
                self.catch_up(book, part)
                before += head
        finally:
            self._rebuilding = False
            self._wake(ALL_BOOKS)

    def _project_with_worker(self, book: str, progress: Progress | None, head: int) -> None:
        """Carry the views of a book on while another process starts, then while it folds, as far as that goes."""
        with rebuild_worker(self._stream.engine, self._engine, book, self._events_at_once) as process:
            position = self.catch_up(book, progress, enough=process.ready)
            for folded in process.groups(position):
                if self._closing or not self._write_group(book, folded):
                    return
                process.written(folded.last)
                self._refresh_statistics(folded.last - folded.after)
                if progress is not None:
                    progress(folded.last, max(folded.last, head))

    def _write_group(self, book: str, folded: FoldedGroup) -> bool:
        """Write what another process found; return whether the views stood where that begins."""

        def means(_connection: Connection) -> Iterable[tuple[Statement, list[Row]]]:
            return [(STATEMENTS[place], rows) for place, rows in folded.writes]

        with self._projecting:
            return self._write(book, folded.after, folded.last, means)

    def _project(self, book: str, after: int, events: list[RecordedEvent]) -> int:
        """Write what the events after a position mean, and return where the views stand then."""
        loaded: dict[int, Partition] = {}

        def means(connection: Connection) -> Iterable[tuple[Statement, list[Row]]]:
            changes, ladder, found = fold(self._partitions, connection, book, after, events)
            loaded.update(found)
            return writes(changes, ladder)

        last = events[-1].position
        with self._projecting:
            if self._write(book, after, last, means):
                self._partitions.give_back(book, last, loaded)
                return last
        return self.position(book)

    def _write(
        self,
        book: str,
        after: int,
        last: int,
        means: Callable[[Connection], Iterable[tuple[Statement, list[Row]]]],
    ) -> bool:
        """Write what the events after a position up to ``last`` mean.

        Where the views did not stand at that position, another follower was first: then nothing is written.
        """
        with persistence_errors(), writing(self._writing_engine, turn=book) as connection:
            tracked = self._recorder.max_tracking_id_on(connection, book) or 0
            if tracked != after:
                return False
            for statement, rows in means(connection):
                statement.execute(connection, book, rows)
            self._recorder.insert_tracking_on(connection, Tracking(book, last))
            notify(connection, book)
        return True

    def _of_another_log(self, connection: Connection) -> bool:
        """Tell whether the views know an event that the log does not have, as after a backup was put back."""
        place = sa.tuple_(REQUEST.c.request_hash, REQUEST.c.position)
        for book, position in connection.execute(sa.select(TRACKING)).all():
            for entry in self._stream.at(book, [position]):
                row = request(decode(entry.position, entry.data))
                if connection.execute(sa.select(REQUEST).where(REQUEST.c.book == book, place == row)).first():
                    break
            else:
                return True
        return False

    def _expect_whole_books(self, connection: Connection) -> None:
        """Note how far each book never followed goes: until its views stand there, they are not whole."""
        followed = connection.execute(sa.select(TRACKING.c.application_name)).scalars()
        noted = connection.execute(sa.select(REFILL.c.book)).scalars()
        for book in set(self._stream.books()).difference(followed, noted):
            connection.execute(REFILL.insert().values(book=book, through=self._stream.head(book)))

    def _wake(self, book: str) -> None:
        with self._changed:
            self._woken.add(book)
            self._changed.notify_all()

    def _follow(self) -> None:
        looked = 0.0
        while True:
            pause = self._pause()
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._woken, pause)
                books, self._woken = self._woken, set()
            if self._closing:
                return
            if ALL_BOOKS in books or time.monotonic() - looked >= pause:  # others write too, perhaps untold
                books, looked = (books - {ALL_BOOKS}) | self._books(), time.monotonic()
            for book in books:
                self._go_on(book)

    def _pause(self) -> float:
        """How long to wait at the most before looking again, untold."""
        if self._projects:
            return LOG_POLL_INTERVAL_S if self._stream.has_notifications else POLL_INTERVAL_S
        return (
            VIEWS_POLL_INTERVAL_S
            if self._awaited.books() and not self._listener.has_notifications
            else POLL_INTERVAL_S
        )

    def _books(self) -> set[str]:
        if not self._projects:
            return self._awaited.books()
        try:
            return set(self._stream.books())
        except PersistenceError:
            _LOG.exception("the books cannot be listed", retry_seconds=POLL_INTERVAL_S)
            return set()

    def _go_on(self, book: str) -> None:
        """Catch up, and outlive whatever prevents it: other books, and this one later, may go on."""
        if self._rebuilding or time.monotonic() < self._rest_until.get(book, 0.0):
            return
        try:
            if self._projects:
                self.catch_up(book, enough=lambda: self._rebuilding)
            else:
                self._awaited.reached(book, self.position(book))
        except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait are told, and it is logged
            _LOG.exception(
                "the views of a book cannot be carried on", book=book, retry_seconds=BOOK_RETRY_DELAY_S
            )
            self._rest_until[book] = time.monotonic() + BOOK_RETRY_DELAY_S
            self._awaited.failed(book, error)


def _drop(connection: Connection) -> None:
    for table in (*VIEWS.sorted_tables, TRACKING):
        connection.execute(table.delete())


def _as_part(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Report what is done of one book as a part of all books."""
    return progress and (lambda done, _: progress(min(before + done, total), total))
