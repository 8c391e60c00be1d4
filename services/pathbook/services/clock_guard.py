"""The guard of a server's clock: a time is believed only if it is at most a day from the time that is expected."""

import threading
from typing import Final, NamedTuple

import structlog

from pathbook.ledger.book import CLOCK_JUMP_MAX_US, ClockJumpedError, EventsAheadError
from pathbook.ledger.codec import MalformedEventError, NewerEventError
from pathbook.ledger.store.log.clock_looks import ClockLooks, Look
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.services.clock import MachineClock, Reading
from pathbook.services.translate.times import shown, span

LOOK_INTERVAL_S: Final = 1.0
"""How often a guard looks at the clock, and, while it is not believed, whether an operator has confirmed it."""

KEEP_INTERVAL_US: Final = 3_600_000_000
"""How often (microseconds) a running server keeps a look beside the log: once an hour, so idle costs next to nothing.

After a stop of the machine, so much of a day is lost at most before the clock needs to be confirmed.
"""

FAILED_KEEP_DELAY_US: Final = 60_000_000
"""How long (microseconds) a guard waits before it tries again to keep a look."""

EARLIEST_US: Final = 1_577_836_800_000_000
"""The beginning of 2020. No clock that says less is right, so nothing else has to be known to refuse it."""

BOOKS_AT_ONCE: Final = 500
"""How many books are read at once for their last event. That is done only while no look was kept."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Known(NamedTuple):
    """A time that is known: what a clock said, and, if that is of this boot, for how long the machine had run."""

    wall: int
    since_boot: int | None

    def expected(self, reading: Reading) -> int:
        """Return the time that the clock should be near now."""
        return self.wall if self.since_boot is None else self.wall + reading.since_boot - self.since_boot


class Knowledge(NamedTuple):
    """What the database knows of the time.

    Attributes:
        known: the time to compare with, None if there is neither a look nor an event.
        kept_at: how long the machine had run when its last look was kept, None if none is of this boot.
        accepted_until: up to which time events that lie ahead of the clock are accepted.
    """

    known: Known | None
    kept_at: int | None
    accepted_until: int


def read_knowledge(looks: ClockLooks, stream: Stream, boot: str) -> Knowledge:
    """Return what the database knows of the time: by the look of this boot, else the last look, else the last event.

    Raises:
        eventsourcing.persistence.PersistenceError: the database fails.
    """
    kept = looks.all()
    accepted = max((look.accepted_until for look in kept), default=0)
    for look in kept:
        if boot and look.boot == boot:
            return Knowledge(Known(look.wall, look.since_boot), look.since_boot, accepted)
    last = kept[0].wall if kept else max(last_events(stream).values(), default=0)
    return Knowledge(Known(last, None) if last else None, None, accepted)


def last_events(stream: Stream) -> dict[str, int]:
    """Return when the last event of each book was recorded, as far as this program can read it.

    Raises:
        eventsourcing.persistence.PersistenceError: the database fails.
    """
    found: dict[str, int] = {}
    for book in stream.books():
        try:
            for entry in stream.at(book, [stream.head(book)]):
                found[book] = read_event(book, entry).recorded_at
        except (NewerEventError, MalformedEventError, EventDamagedError):
            continue  # the book is refused for that
    return found


def require_near(known: Known | None, reading: Reading) -> None:
    """Raise ClockJumpedError if a clock is too far from the time that is known. Exactly a day passes."""
    if known is None:
        if reading.wall < EARLIEST_US:
            raise ClockJumpedError(reading.wall, EARLIEST_US)
    elif abs(reading.wall - (expected := known.expected(reading))) > CLOCK_JUMP_MAX_US:
        raise ClockJumpedError(reading.wall, expected)


class ClockGuard:
    """A clock for books that is believed only near the time that is expected. Threads may share it.

    The first reading is compared with what the database knows. Each further one is compared with the first, and with
    how long the machine has run since. So neither one large step nor many small ones go far.
    """

    def __init__(self, machine: MachineClock, looks: ClockLooks, stream: Stream) -> None:
        """Read what the database knows, and look at the clock.

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        self._machine, self._looks, self._stream = machine, looks, stream
        self._known: Known | None
        self._stopped = self._asked = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="clock", daemon=True)
        knowledge = read_knowledge(looks, stream, machine.boot)
        self._known, self._accepted_until = knowledge.known, knowledge.accepted_until
        self._keep_at = 0 if knowledge.kept_at is None else knowledge.kept_at + KEEP_INTERVAL_US
        self.look()

    def start(self) -> None:
        """Look at the clock in a separate thread, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __call__(self) -> int:
        """Return the time in microseconds since 1970 UTC. Raises ClockJumpedError."""
        reading = self._machine.read()
        require_near(self._known, reading)
        return reading.wall

    def after(self, book: str, last_event: int) -> int:
        """Return the time of the next event of a book. Raises as ``GuardedClock.after``."""
        now = self()
        if last_event - now > CLOCK_JUMP_MAX_US and last_event > self._accepted_until:
            self._asked = True
            raise EventsAheadError(book, now, last_event)
        return max(now, last_event)

    def look(self) -> None:
        """Look at the clock: keep the look if one is due, and learn what an operator confirmed if that is needed.

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails while the clock is not believed.
        """
        reading = self._machine.read()
        try:
            require_near(self._known, reading)
        except ClockJumpedError as error:
            self._stop(error)
            try:
                require_near(self._learn(), reading)
            except ClockJumpedError:
                return
            self._known = Known(*reading)  # an operator has confirmed this time
        if self._stopped:
            self._stopped = False
            _LOG.info("writing goes on: the clock is believed again", clock=shown(reading.wall))
        if self._known is None or self._known.since_boot is None:
            self._known = Known(*reading)
        if self._asked:
            self._learn()
            self._asked = False
        if reading.since_boot >= self._keep_at:
            self._keep(reading)

    def _learn(self) -> Known | None:
        """Learn what operators have confirmed. Return the time that the database knows."""
        knowledge = read_knowledge(self._looks, self._stream, self._machine.boot)
        self._accepted_until = knowledge.accepted_until
        return knowledge.known

    def _keep(self, reading: Reading) -> None:
        self._keep_at = reading.since_boot + KEEP_INTERVAL_US
        try:
            self._looks.keep(Look(self._machine.boot, *reading, self._accepted_until))
        except Exception as error:  # noqa: BLE001 - a database that cannot be written must still be read
            self._keep_at = reading.since_boot + FAILED_KEEP_DELAY_US
            _LOG.debug("a look at the clock was not kept", error=str(error))

    def _stop(self, error: ClockJumpedError) -> None:
        if self._stopped:
            return
        self._stopped = True
        _LOG.error(
            "writing stops, and no offer lapses: the clock is not believed",
            clock=shown(error.now),
            expected=shown(error.expected),
            difference=span(error.now, error.expected),
            remedy="set the clock, or, if it is right, run: pathbook clock confirm",
        )

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_INTERVAL_S):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the guard survives any error of the database, and looks again
                _LOG.debug("what is known of the time cannot be read", error=str(error))
