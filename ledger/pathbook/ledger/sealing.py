"""The sealer: it seals each book soon after it changed, and compares every seal of the log with the events.

One thread of a process seals all books, where the views are updated. An idle book costs nothing.

What is not here: what a seal has (proofs), and whether a position may be sealed, which the book decides (rules).
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final

import structlog

from pathbook.ledger.book import Answer, BookStoppingError, ClockJumpedError, Outcome
from pathbook.ledger.book.memory import ViewsLaggingError
from pathbook.ledger.book.tail import TAIL_MAX_EVENTS
from pathbook.ledger.books import Books
from pathbook.ledger.commands import Seal
from pathbook.ledger.store.database.notify import ALL_BOOKS
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.custody_steps import TOUCHED_MAX, ContradictedSealError, CustodySteps, Step
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.retries import Retries
from pathbook.ledger.values import WRITER_PREFIX

SOON_S: Final = 1.0
"""How long after a change a book is sealed, if little changed meanwhile, or nothing any more for as long."""

LATEST_S: Final = 5.0
"""How long after a change a book is sealed at the latest, if no database is away."""

LITTLE_EVENTS: Final = 1_000
"""Up to how many events are little. A busy book is sealed less often, because what is sealed together shares the hashes
above it."""

MANY_EVENTS: Final = TOUCHED_MAX
"""After how many events a book is sealed at once. An event touches a run or more."""

LOOK_INTERVAL_S: Final = 0.2
"""How often the sealer looks whether a book that changed is due."""

POLL_INTERVAL_S: Final = 5.0
"""How often it looks for changes of all books. An append of another process may come without a notification."""

ANSWER_TIMEOUT_S: Final = 30.0
"""How long it waits for the writer of a book. A seal that is recorded later is found in the log."""

CLOSE_TIMEOUT_S: Final = 1.0
"""How long `close` waits. What a step has computed by then is lost, and computed again after the next start."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Sealer:
    """Seals all books. Threads may share it.

    A step is computed from the events. Then its seal is recorded, and then the tables are written. So after a crash in
    between, the log has a seal beyond the tables, and they go to it. Any number of processes may seal the same books: a
    seal names the one before it, so only one of them is recorded, and the others find it.
    """

    def __init__(
        self,
        books: Books,
        stream: Stream,
        follower: Follower,
        steps: CustodySteps,
        *,
        soon_s: float = SOON_S,
        latest_s: float = LATEST_S,
    ) -> None:
        """Prepare the sealer. ``soon_s`` and ``latest_s`` are as SOON_S and LATEST_S."""
        self._books, self._stream, self._follower, self._steps = books, stream, follower, steps
        self._soon_s, self._latest_s = soon_s, latest_s
        self._changed = threading.Condition()
        self._since: dict[str, float] = {}
        self._heads: dict[str, tuple[int, float]] = {}
        self._covers: dict[str, int] = {}
        self._settled: dict[str, int] = {}
        self._look_at_all = True
        self._closing = False
        self._listeners: list[Callable[[str, int], object]] = []
        self._untold: dict[str, int] = {}
        self._untold_retries = Retries(stream.outages, "what follows a seal failed")
        self._contradictions: dict[str, ContradictedSealError] = {}
        self._retries = Retries(stream.outages, "sealing a book failed")
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)

    def on_seal(self, listener: Callable[[str, int], object]) -> None:
        """Register a listener, before `start`. It is called with a book and the position of its last seal.

        The tables are at that seal then. After a start, the last seal of each book is told again. If the listener
        raises, it is called again later. Of many seals, it may miss all but the last.
        """
        self._listeners.append(listener)

    def contradiction(self, book: str) -> ContradictedSealError | None:
        """Return the seal of the log that contradicts its events, for which a book is sealed no further; or None."""
        return self._contradictions.get(book)

    def start(self) -> None:
        """Seal in a separate thread, until `close`."""
        self._stream.on_append(self._appended)
        self._thread.start()

    def close(self) -> None:
        """Stop sealing, in CLOSE_TIMEOUT_S."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def seal(self, book: str) -> int:
        """Seal what a book has now, in the thread of the caller. Return the position that is covered then.

        Raises: as `CustodySteps.next`, and what the writer of the book raises.
        """
        while not self._closing and (step := self._steps.next(book)) is not None:
            if not self._take(book, step):
                break
        return self._steps.last(book).covers

    def _appended(self, book: str) -> None:
        with self._changed:
            if book == ALL_BOOKS:
                self._look_at_all = True
            else:
                self._since.setdefault(book, time.monotonic())
            self._changed.notify_all()

    def _run(self) -> None:
        polled = time.monotonic()
        while True:
            with self._changed:
                if self._since or self._untold:
                    self._changed.wait_for(lambda: self._closing, LOOK_INTERVAL_S)
                else:
                    self._changed.wait_for(lambda: self._closing or self._has_news(), POLL_INTERVAL_S)
                if self._closing:
                    return
                look_at_all = self._look_at_all or time.monotonic() - polled >= POLL_INTERVAL_S
                self._look_at_all = False
            try:
                if look_at_all:
                    polled = time.monotonic()
                    self._find_changed()
                for book in list(self._since):
                    if not self._retries.is_early(book) and self._is_due(book):
                        self._seal_or_log(book)
                for book in list(self._untold):
                    self._tell(book)
                self._retries.succeeded("")
            except Exception as error:  # noqa: BLE001 - the sealer survives any error of the database, and looks again
                if not self._closing:
                    self._retries.failed("", error)

    def _has_news(self) -> bool:
        return self._look_at_all or bool(self._since)

    def _find_changed(self) -> None:
        """Note the books whose log is beyond what was sealed, as far as this process knows."""
        for book in self._stream.books():
            position = self._steps.last(book).position
            if position and book not in self._covers:
                self._untold.setdefault(book, position)
            if not position and book in self._covers:  # the tables were emptied with the views
                del self._covers[book]
                self._settled.pop(book, None)
            if self._stream.head(book) > max(self._known(book), self._settled.get(book, 0)):
                with self._changed:
                    self._since.setdefault(book, time.monotonic())

    def _known(self, book: str) -> int:
        """Return the position up to which this process has looked at a book."""
        return self._covers.get(book, 0)

    def _is_due(self, book: str) -> bool:
        """Tell whether a book that changed is to be sealed now."""
        now = time.monotonic()
        waited = now - self._since[book]
        if waited >= self._latest_s:
            return True
        head = self._stream.head(book)
        if self._heads.get(book, (0, now))[0] != head:
            self._heads[book] = (head, now)  # when it was first seen
        count = head - self._known(book)
        is_little = count <= LITTLE_EVENTS or now - self._heads[book][1] >= self._soon_s
        return count >= MANY_EVENTS or (waited >= self._soon_s and is_little)

    def _seal_or_log(self, book: str) -> None:
        """Seal a book, and survive any error: other books must go on."""
        with self._changed:
            self._since.pop(book, None)
        if book in self._contradictions:
            return
        try:
            head, position = self._stream.head(book), self._follower.position(book)
            if head == self._settled.get(book):
                return  # it has only grown by its last seal
            # Views that lag further are being rebuilt. The writer would wait for them.
            if head <= position + TAIL_MAX_EVENTS:
                self.seal(book)
            self._covers[book] = position
            if head > position:
                self._appended(book)
            self._retries.succeeded(book)
        except ContradictedSealError as error:
            self._contradictions[book] = error
            _LOG.error(
                "a seal contradicts the events of its book, which is sealed no further: compare the log with a backup",
                book=book,
                position=error.position,
                problem=str(error),
            )
        except Exception as error:  # noqa: BLE001 - any error is logged, and the book is tried again
            self._appended(book)
            if self._closing or isinstance(error, BookStoppingError | ClockJumpedError | ViewsLaggingError):
                return  # the guard of the clock has logged that it jumped, and views catch up
            self._retries.failed(book, error)

    def _take(self, book: str, step: Step) -> bool:
        """Record the seal of a step unless the log has it, then write the step. Return whether another may follow."""
        position = step.position
        if not position and not step.is_part:
            position = self._record(book, step)
            if not position:
                return False
        if not self._steps.write(step, position):
            return True  # another process was first
        if position == step.sealed.covers + 1:
            self._settled[book] = position
        if position:
            self._untold[book] = position
            self._tell(book)
        return step.position > 0 or step.is_part or step.changes.touched >= TOUCHED_MAX

    def _record(self, book: str, step: Step) -> int:
        """Record the seal of a step, and return its position; 0 if another process was first, or it takes too long."""
        sealed = step.sealed
        command = Seal(
            request_id=f"{WRITER_PREFIX}seal/{sealed.covers}",
            covers=sealed.covers,
            covers_recorded_at=sealed.covers_recorded_at,
            batches=sealed.batches,
            parties=sealed.parties,
            root=sealed.root,
            after=step.after,
        )
        outcomes = self._answered(self._books.submit(book, [command]))
        if not outcomes:
            return 0
        (outcome,) = outcomes
        # A refusal means that another seal is in the log. The next step goes to it, and compares it.
        return outcome.recorded.position if isinstance(outcome, Answer) else 0

    def _answered(self, future: Future[list[Outcome]]) -> list[Outcome]:
        until = time.monotonic() + ANSWER_TIMEOUT_S
        while not future.done() and not self._closing and time.monotonic() < until:
            wait([future], LOOK_INTERVAL_S)
        return future.result() if future.done() and not future.cancelled() else []

    def _tell(self, book: str) -> None:
        """Tell the listeners of the last seal of a book. One that fails stops no seal, and is told again later."""
        if self._untold_retries.is_early(book):
            return
        try:
            for listener in self._listeners:
                listener(book, self._untold[book])
        except Exception as error:  # noqa: BLE001 - as above
            if not self._closing:
                self._untold_retries.failed(book, error)
        else:
            del self._untold[book]
            self._untold_retries.succeeded(book)
