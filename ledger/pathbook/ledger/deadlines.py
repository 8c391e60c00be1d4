"""The watch over deadlines: offers lapse at their time, even in books that get no write.

One thread of a process looks over all books, with one query. Only when an offer is due does it wake that
book's writer, which ends the offer. So an idle book costs nothing.

What is not here: the end of an offer, which the writer decides (book).
"""

import threading
import time
from concurrent.futures import Future, wait

import structlog

from pathbook.ledger.book import Clock, ClockJumpedError, Outcome, UntrueTimeError
from pathbook.ledger.book.tail import TAIL_MAX_EVENTS
from pathbook.ledger.books import Books
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.due_offers import DueOffers
from pathbook.ledger.store.views.follower import Follower

LOOK_INTERVAL_S = 0.5
"""How often the watch looks for offers that are due. So an offer lapses within a second of its deadline."""

PRECEDENCE_US = 500_000
"""How long (microseconds) a process that does not update the views leaves an offer to the process that does. So
several servers do not all wake their writers for the same offer."""

WAKES_AT_ONCE_MAX = 16
"""How many books are woken at once. Each takes a thread while it ends its offers."""

WAKE_TIMEOUT_S = 1.0
"""How long the watch waits for these books, before it goes on without the slow ones."""

FIRST_LOOK_TIMEOUT_S = 1.0
"""How long a server that starts waits for the offers that became due while none ran."""

RETRY_DELAY_S = 5.0
"""How long the watch leaves a book alone that could not be written, or the views if they could not be read."""

UNTRUE_TIME_RETRY_DELAY_S = 60.0
"""How long the watch leaves a book alone whose events lie ahead of the clock. That takes an operator to settle."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class DeadlineWatch:
    """Looks for open offers whose deadline has passed, and wakes the writers of their books.

    Any number of processes may watch the same books. Writers take turns, so each offer lapses once.
    """

    def __init__(
        self,
        books: Books,
        stream: Stream,
        due: DueOffers,
        follower: Follower,
        clock: Clock,
        *,
        precedence_us: int = 0,
    ) -> None:
        """Prepare the watch.

        Args:
            books: the books whose writers end the offers.
            stream: the log of these books.
            due: finds the books with offers that are due.
            follower: knows how far the views are.
            clock: returns microseconds since 1970 UTC.
            precedence_us: for how many microseconds an offer that is due is left to other processes.
        """
        self._books, self._stream, self._due, self._follower = books, stream, due, follower
        self._clock, self._precedence_us = clock, precedence_us
        self._waking: dict[str, Future[list[Outcome]]] = {}
        self._retry_at: dict[str, float] = {}
        self._closing, self._looked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)

    def start(self) -> None:
        """Watch in a separate thread, until `close`."""
        self._thread.start()

    def wait_for_first_look(self) -> None:
        """Wait until the offers that were due at the start have lapsed and the views say so.

        A book that takes longer than FIRST_LOOK_TIMEOUT_S goes on in the background.
        """
        self._looked.wait(FIRST_LOOK_TIMEOUT_S)

    def close(self) -> None:
        """Stop watching. Writers that were woken finish on their own."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> list[str]:
        """Wake the books in which an offer is due, and wait a moment for them. Return the books that were woken.

        A book that is still at it is not woken again. Nor is one whose writer would have to wait for the views.
        """
        self._forget_finished()
        woken = [
            book for book in self._due.books(self._clock() - self._precedence_us) if self._may_wake(book)
        ]
        for begin in range(0, len(woken), WAKES_AT_ONCE_MAX):
            if self._closing.is_set():
                break
            chunk = {book: self._books.lapse_due(book) for book in woken[begin : begin + WAKES_AT_ONCE_MAX]}
            self._waking.update(chunk)
            wait(chunk.values(), WAKE_TIMEOUT_S)
            self._forget_finished()
        return woken

    def _may_wake(self, book: str) -> bool:
        if book in self._waking or time.monotonic() < self._retry_at.get(book, 0.0):
            return False
        try:
            head = self._stream.head(book)
        except EventDamagedError:
            return False  # the follower tells of it, and other books go on
        # Views that lag further are being rebuilt. The writer would wait for them, and its callers behind it.
        return 0 < head <= self._follower.position(book) + TAIL_MAX_EVENTS

    def _forget_finished(self) -> None:
        for book, future in list(self._waking.items()):
            if not future.done():
                continue
            del self._waking[book]
            self._retry_at.pop(book, None)
            if not future.cancelled() and (error := future.exception()) is not None:
                if self._stream.outages.tell(error):
                    continue  # it may pass any moment, so the next look tries again
                delay = UNTRUE_TIME_RETRY_DELAY_S if isinstance(error, UntrueTimeError) else RETRY_DELAY_S
                self._retry_at[book] = time.monotonic() + delay
                _LOG.error("offers cannot lapse", book=book, error=str(error), retry_seconds=delay)

    def _watch(self) -> None:
        while not self._closing.is_set():
            pause = LOOK_INTERVAL_S
            try:
                woken = [] if self._follower.look_at_files() else self.look()
                if not self._looked.is_set():
                    reached = [self._follower.reached(book, self._stream.head(book)) for book in woken]
                    wait(reached, FIRST_LOOK_TIMEOUT_S)
            except ClockJumpedError:
                pass  # nothing lapses by a clock that is not believed; its guard has logged that
            except DatabaseDamagedError as error:
                _LOG.error("looking for offers to lapse failed", cause=str(error))
                pause = RETRY_DELAY_S
            except Exception as error:  # noqa: BLE001 - the watch survives any error of the database, and looks again
                if not self._stream.outages.tell(error):
                    _LOG.exception("looking for offers to lapse failed", retry_seconds=RETRY_DELAY_S)
                    pause = RETRY_DELAY_S
            self._looked.set()
            self._closing.wait(pause)
