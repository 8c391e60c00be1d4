"""The part of the follower that updates the reports: after the views, in transactions of their own."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

import structlog
from sqlalchemy import Connection, Engine

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.reports.report import Report, SumRow
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.database.notify import notify
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.reports.positions import (
    add_rows,
    empty_report,
    open_reports,
    open_reports_on,
    position_on,
    remove_replaced,
)
from pathbook.ledger.store.views.completeness import Progress, known_head, progress_of_part
from pathbook.ledger.store.views.recent_events import RecentEvents
from pathbook.ledger.store.views.rests import Rests
from pathbook.ledger.store.views.retries import Retries
from pathbook.ledger.store.views.stopped_books import read_known
from pathbook.ledger.store.views.story_cache import StoryCache
from pathbook.ledger.store.views.telling import Telling
from pathbook.ledger.store.views.waiters import PositionWaiters

GROUP_EVENTS: Final = 1_000
"""How many events a report that is behind takes in one turn at most. Usual ones take some 20 milliseconds."""

FIRST_TURN_EVENTS: Final = 50
"""How many events the first turn of a process takes, because it does not know yet how long they take."""

TURN_S: Final = 0.2
"""How long such a turn should take, because the views wait for its end. What a report asks of the past of a unit of
10,000 hops takes milliseconds for each event."""

GROUP_RANGES: Final = 2_000
"""How many ranges of units the events of such a turn change, unless it is one event alone, which may have thousands."""

VIEWS_NEARLY_LEVEL_EVENTS: Final = 1_000
"""A report that is behind gets no turn in the process of views that are further behind. Writes wait for the views."""

KNOWN_FOR_S: Final = 5.0
"""How long a process believes what it knows of the positions of reports. Another process may empty a report."""

TURN: Final = "reports"
"""The turn of those who write reports of a book. No book has a "/" in its name, so it is no turn of a book."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def next_turn(allowed: int, events: int, seconds: float) -> int:
    """Return how many events a turn may take after one that was allowed so many, and took some of them in a time."""
    if seconds > TURN_S:
        return max(1, int(events * TURN_S / seconds))
    return min(2 * allowed, GROUP_EVENTS)


class ReportFollower:
    """Updates the reports of every book. Threads may share it.

    A report is never ahead of the views. One that is level with them takes each group of events right after them. One
    that is behind, because it is new or failed, takes a group of its own from the log when the views are nearly level.
    The error of a report stops neither the views nor another report.
    """

    def __init__(
        self,
        stream: Stream,
        views_engine: Engine,
        writing_engine: Engine,
        reports: Sequence[Report],
        *,
        builds: bool = True,
        alone: bool = False,
    ) -> None:
        """Make the tables of the reports that lack them.

        Without ``builds``, another process builds the reports, and this one only tells how far they are. If it builds
        them ``alone``, it updates no views that would wait for a slow turn.
        """
        self._stream, self._engine, self._writing_engine = stream, views_engine, writing_engine
        self._reports = tuple(reports)
        self.builds, self._alone = builds, alone
        self._taking = threading.Lock()
        self._reached: dict[tuple[Report, str], int] = {}
        self._limits: dict[str, int] = {}
        self._events_at_once: dict[str, int] = {}
        self.rests = Rests()
        self._forget_at = 0.0
        self._closed = False
        self._stories, self._recent = StoryCache(stream, views_engine), RecentEvents()
        self._waiters = {report: PositionWaiters() for report in self._reports}
        self._retries = {
            report: Retries(stream.outages, f"updating the report {report.title} failed")
            for report in self._reports
        }
        with persistence_errors():
            open_reports(views_engine, self._reports, stream.books(), self._head)

    def remove_replaced(self) -> None:
        """Drop the older versions of reports whose present version is built."""
        with persistence_errors(), writing(self._engine) as connection:
            removed = remove_replaced(connection, self._reports)
        for title in removed:
            _LOG.warning("an older version of a report is removed", report=title)

    def empty_on(self, connection: Connection, *only: Report) -> None:
        """Remove all rows of all reports, or of some. Each is then built again, from the first event on."""
        emptied = only or self._reports
        for report in emptied:
            empty_report(connection, report)
        open_reports_on(connection, emptied, self._stream.books(), self._head)
        self._reached.clear()
        if not only:
            self._limits.clear()
            self._stories.clear()
            self._recent.clear()

    def close(self) -> None:
        """Stop after the group that is being taken, and cancel the futures that callers still wait for."""
        self._closed = True
        for waiters in self._waiters.values():
            waiters.close()

    def position(self, report: Report, book: str) -> int:
        """The position that a report has reached in a book, 0 if it has none."""
        with persistence_errors(), reading(self._engine) as connection:
            return position_on(connection, report, book)

    def reached(self, report: Report, book: str, position: int) -> Future[int]:
        """A future that gives the position of a report in a book, as soon as it has reached the given position."""
        future = self._waiters[report].add(book, position)
        self._waiters[report].reached(book, self.position(report, book))
        return future

    def awaited_books(self) -> set[str]:
        """The books in which callers wait for a report."""
        return {book for waiters in self._waiters.values() for book in waiters.books()}

    def look(self, book: str) -> None:
        """Complete the futures for positions that another process has reached."""
        for report, waiters in self._waiters.items():
            retries = self._retries[report]
            if book not in waiters.books() or retries.is_early(book):
                continue
            try:
                waiters.reached(book, self.position(report, book))
            except Exception as error:  # noqa: BLE001 -- as in `take`; the thread that looks must go on
                self._failed(report, book, error)
            else:
                retries.succeeded(book)

    def allow(self, book: str, position: int) -> None:
        """Let the reports go as far as this position, which the views of a book have reached."""
        self._limits[book] = position

    def follow(self, book: str, after: int, events: Sequence[RecordedEvent]) -> None:
        """Let the reports that are at a position take the events after it, which the views have just taken.

        Those with stories stay behind if there are many events, or large ones. They go on in groups of their own,
        because telling takes longer than the views may wait.
        """
        last = events[-1].position
        if not self.builds:
            self.allow(book, last)
            return
        self._recent.add(book, events)
        telling = Telling(self._stories, book, after, events, lambda: self._at(book, after))
        is_small = len(events) <= self._turn_events(book) and len(_first_ones(events)) == len(events)
        if not is_small or self._head(book) - last > VIEWS_NEARLY_LEVEL_EVENTS:
            self.take(book, after, last, telling.rows_without_stories)
        else:
            with self._turn(book, len(events)):
                self.take(book, after, last, telling.rows)

    def take(
        self, book: str, after: int, last: int, rows: Callable[[Report], Iterable[SumRow] | None]
    ) -> None:
        """Let the reports that are at a position take the events after it, whose rows were perhaps folded elsewhere."""
        self.allow(book, last)
        for report, error in self._take(book, after, last, self._at(book, after), rows).items():
            self._failed(report, book, error)

    def build(self, book: str) -> bool:
        """Let the first report that is behind take one group. Return whether any report is behind then."""
        behind = self._behind(book)
        if not behind:
            return False
        try:
            if not self._alone and self._head(book) - self._limits[book] > VIEWS_NEARLY_LEVEL_EVENTS:
                return True
            after = self._known(behind[0], book)
            sharing = [report for report in behind if self._known(report, book) == after]
            errors = self._take_group(book, after, sharing)
        except Exception as error:  # noqa: BLE001 -- as in `take`
            sharing, errors = behind[:1], {behind[0]: error}
        for report in sharing:
            if report in errors:
                self._failed(report, book, errors[report])
            else:
                self._retries[report].succeeded(book)
        return bool(self._behind(book))

    def build_or_rest(self, book: str) -> bool:
        """Build as `build` does, and rest after a slow turn. Return whether the next turn may follow at once.

        If another process builds, complete the futures for positions that it has reached.
        """
        if not self.builds:
            self.look(book)
            return False
        return (
            not self.rests.is_resting(book)
            and self.build(book)
            and not (self.rests.is_due(book) and self._makes_others_wait(book) and self.rests.begin(book))
        )

    def _makes_others_wait(self, book: str) -> bool:
        """Tell whether views in this process, or the reports of another book, wait while a book has its turn."""
        return not self._alone or any(self.wants_turn(other) for other in self._limits if other != book)

    def wants_turn(self, book: str) -> bool:
        """Tell whether any report of a book is behind, and may have a turn now. While a book rests, its views go on."""
        return self.builds and not self.rests.is_resting(book) and bool(self._behind(book))

    def catch_up(self, book: str, progress: Progress | None = None, *only: Report) -> None:
        """Let all reports, or some, take all events that the views of a book have. Raises what stops a report."""
        limit = self._limits.get(book, 0)
        while not self._closed:
            known = {report: self._known(report, book) for report in only or self._reports}
            after = min(known.values(), default=limit)
            if after >= limit:
                break
            if progress is not None:
                progress(after, limit)
            sharing = [report for report, position in known.items() if position == after]
            for error in self._take_group(book, after, sharing).values():
                raise error
        if progress is not None:
            progress(limit, limit)

    def rebuild(self, report: Report, views: Mapping[str, int], progress: Progress | None) -> None:
        """Drop a report and rebuild it in books whose views are at these positions."""
        with persistence_errors(), writing(self._engine) as connection:
            self.empty_on(connection, report)
        total, before = sum(views.values()), 0
        for book, position in views.items():
            self.allow(book, position)
            self.catch_up(book, progress_of_part(progress, before, total), report)
            before += position

    def _behind(self, book: str) -> list[Report]:
        """Return the reports that are behind the views of a book, and may try again now."""
        limit = self._limits.get(book, 0)
        return [report for report, known in self._positions(book).items() if known < limit]

    def _positions(self, book: str) -> dict[Report, int]:
        """Return the position of each report that may try again now, as this process knows it."""
        found: dict[Report, int] = {}
        for report in self._reports:
            if self._retries[report].is_early(book):
                continue
            try:
                found[report] = self._known(report, book)
            except Exception as error:  # noqa: BLE001 -- as in `take`
                self._failed(report, book, error)
        return found

    def _known(self, report: Report, book: str) -> int:
        """Return the position of a report in a book as this process knows it. Another process may move it back."""
        if (now := time.monotonic()) >= self._forget_at:
            self._reached.clear()
            self._forget_at = now + KNOWN_FOR_S
        known = self._reached.get((report, book))
        if known is None:
            known = self._reached[report, book] = self.position(report, book)
        return known

    def _at(self, book: str, position: int) -> list[Report]:
        """Return the reports that are at a position in a book, and may try again now."""
        return [report for report, known in self._positions(book).items() if known == position]

    def _take_group(self, book: str, after: int, sharing: Sequence[Report]) -> dict[Report, Exception]:
        """Let reports that are behind at one position take the next events from the log. Return their errors."""
        limit = min(self._turn_events(book), self._limits[book] - after)
        events = self._recent.after(book, after, limit)
        if not events:
            events, stopping = read_known(self._stream, book, after, limit)
            if not events:
                raise stopping or AssertionError(f"the log of {book} ends before its views")
        events = _first_ones(events)
        telling = Telling(self._stories, book, after, events, lambda: sharing)
        with self._turn(book, len(events)):
            return self._take(book, after, events[-1].position, sharing, telling.rows)

    def _turn_events(self, book: str) -> int:
        """Return how many events of a book the next turn may take."""
        return self._events_at_once.get(book, FIRST_TURN_EVENTS)

    @contextlib.contextmanager
    def _turn(self, book: str, events: int) -> Iterator[None]:
        """Measure a turn, and have the next one take fewer events if it took too long."""
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.rests.measured(book, events, seconds)
        self._events_at_once[book] = next_turn(self._turn_events(book), events, seconds)

    def _take(
        self,
        book: str,
        after: int,
        last: int,
        reports: Sequence[Report],
        rows: Callable[[Report], Iterable[SumRow] | None],
    ) -> dict[Report, Exception]:
        """Add rows to reports that are at a position, together or, if that fails, one by one. Return their errors."""
        folded: dict[Report, list[SumRow]] = {}
        errors: dict[Report, Exception] = {}
        for report in reports:
            try:
                if (added := rows(report)) is not None:
                    folded[report] = list(added)
            except Exception as error:  # noqa: BLE001 -- a report that fails must stop neither views nor others
                errors[report] = error
        try:
            self._write(book, after, last, folded)
        except Exception:  # noqa: BLE001 -- as above
            for report, added in folded.items():
                try:
                    self._write(book, after, last, {report: added})
                except Exception as error:  # noqa: BLE001 -- as above
                    errors[report] = error
        return errors

    def _write(self, book: str, after: int, last: int, rows: Mapping[Report, Sequence[SumRow]]) -> None:
        """Add rows to reports that are at a position. If one is elsewhere, another process was first."""
        if not rows:
            return
        with self._taking:
            with persistence_errors(), writing(self._writing_engine, turn=f"{TURN}/{book}") as connection:
                reached = add_rows(connection, book, rows, after, last)
                notify(connection, book)
            for report, position in reached.items():
                self._reached[report, book] = position
            if any(position != last for position in reached.values()):
                self._stories.clear()  # they may be told from views that another process was emptying
        for report, position in reached.items():
            self._waiters[report].reached(book, position)

    def _failed(self, report: Report, book: str, error: Exception) -> None:
        self._reached.pop((report, book), None)
        if self._retries[report].failed(book, error):
            self._waiters[report].failed(book, error)

    def _head(self, book: str) -> int:
        return known_head(self._stream, book)


def _first_ones(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Return the events at the beginning that change as many ranges as a turn may, and at least one event."""
    taken: list[RecordedEvent] = []
    ranges = 0
    for recorded in events:
        ranges += len(changed_ranges(recorded.event))
        if taken and ranges > GROUP_RANGES:
            break
        taken.append(recorded)
    return taken
