"""What an operator asks of the clock of books: whether it is believed, and to believe what this machine says now."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pathbook.ledger.book import CLOCK_JUMP_MAX_US, ClockJumpedError
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.clock_looks import ClockLooks, Look
from pathbook.ledger.store.log.stream import Stream
from pathbook.services.clock import MachineClock
from pathbook.services.clock_guard import Knowledge, last_events, read_knowledge, require_near
from pathbook.services.storage import EVENTS_FILE


class ClockState(NamedTuple):
    """The clock of this machine beside what the database of the books knows. Times are microseconds since 1970 UTC.

    Attributes:
        now: what the clock says.
        expected: the time that it should be near, None if nothing is known.
        believed: whether a server here would write.
        ahead: the books whose last event lies too far ahead of the clock, with the time of that event.
        accepted_until: up to which time such events are accepted, 0 for none.
    """

    now: int
    expected: int | None
    believed: bool
    ahead: dict[str, int]
    accepted_until: int


def clock_state(path: Path, database: str, machine: MachineClock) -> ClockState:
    """Return the state of the clock of the books in a directory, or in a database if one is named.

    Raises:
        eventsourcing.persistence.PersistenceError: the database fails.
    """
    with _opened(path, database) as (looks, stream):
        return state_of(looks, stream, machine)


def state_of(looks: ClockLooks, stream: Stream, machine: MachineClock) -> ClockState:
    """Return the state of the clock for a log that is open."""
    return _state(read_knowledge(looks, stream, machine.boot), stream, machine)


def confirm_clock(path: Path, database: str, machine: MachineClock, *, accept_ahead: bool) -> ClockState:
    """Have all servers of these books believe what the clock of this machine says. Return the state before.

    With ``accept_ahead``, books whose last event lies ahead of the clock go on with the time of that event.

    Raises:
        eventsourcing.persistence.PersistenceError: the database fails.
    """
    with _opened(path, database) as (looks, stream):
        before = state_of(looks, stream, machine)
        accepted = max([before.accepted_until, *before.ahead.values()]) if accept_ahead else 0
        looks.replace(Look(machine.boot, *machine.read(), accepted))
    return before


def _state(knowledge: Knowledge, stream: Stream, machine: MachineClock) -> ClockState:
    reading = machine.read()
    try:
        require_near(knowledge.known, reading)
        believed = True
    except ClockJumpedError:
        believed = False
    expected = None if knowledge.known is None else knowledge.known.expected(reading)
    ahead = {book: at for book, at in last_events(stream).items() if at - reading.wall > CLOCK_JUMP_MAX_US}
    return ClockState(reading.wall, expected, believed, ahead, knowledge.accepted_until)


@contextlib.contextmanager
def _opened(path: Path, database: str) -> Iterator[tuple[ClockLooks, Stream]]:
    engine = open_engine(database or path / EVENTS_FILE, purpose="events")
    try:
        yield ClockLooks(engine), Stream(engine)
    finally:
        engine.dispose()
