"""How custody goes from seal to seal: to those that the log has, then to one that is still to be recorded."""

from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from pathbook.ledger.events import RecordedEvent, Sealed
from pathbook.ledger.store.custody.changes import CustodyChanges, Roots
from pathbook.ledger.store.custody.tables import NOT_SEALED, SealRow, last_seal
from pathbook.ledger.store.database.engine import open_bulk_engine, reading
from pathbook.ledger.store.database.fast_read import TransactionSnapshot
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.views.stopped_books import read_known
from pathbook.ledger.store.views.tables import SEAL
from pathbook.ledger.store.views.tracking import TRACKING

TOUCHED_MAX: Final = 10_000
"""How many changed runs, batches and parties a step takes. It bounds the memory, and how long the views wait."""

EVENTS_AT_ONCE: Final = 500
"""How many events are read from the log at once, at most. A step begins with one and doubles, because it may have room
for a few large events only, and the next step decodes the others again."""

SEALS_AT_ONCE: Final = 1_000
"""How many seals of the log a step looks up."""


class ContradictedSealError(Exception):
    """A seal in the log does not say what its events make. ``position`` is that of the seal."""

    def __init__(self, book: str, position: int, expected: Sealed, found: Sealed) -> None:
        names = ("covers_recorded_at", "batches", "parties", "root")
        differs = [name for name in names if getattr(expected, name) != getattr(found, name)]
        super().__init__(
            f"The seal at position {position} of book {book} says another {' and '.join(differs)} of position"
            f" {found.covers} than the events have."
        )
        self.book, self.position = book, position


class Step(NamedTuple):
    """A step that was computed and not written yet.

    ``sealed`` is the seal that it leads to, and ``after`` the position that the seal before covers. ``position`` is
    that of the seal in the log, and 0 if it is still to be recorded. Or ``is_part``: it ends between seals.
    """

    changes: CustodyChanges
    sealed: Sealed
    after: int
    position: int = 0
    is_part: bool = False

    def write(self, views: Engine, position: int) -> bool:
        """Write the step, whose seal is at a position. Return false if another process was first."""
        sealed = self.sealed
        roots = Roots(sealed.batches, sealed.parties, sealed.root)
        with persistence_errors():
            return self.changes.write(views, sealed.covers, position, roots)


def next_step(
    views: Engine,
    stream: Stream,
    book: str,
    touched_max: int = TOUCHED_MAX,
    events_at_once: int = EVENTS_AT_ONCE,
) -> Step | None:
    """Compute the next step of a book, None if there is nothing to seal yet. Nothing is written.

    A step to seals of the log ends at the last of them that it has room for. Each of them is compared.

    Raises:
        ContradictedSealError: a seal in the log says something else than its events.
        pathbook.ledger.codec.NewerEventError: an event before is newer than this program.
        pathbook.ledger.store.log.damage.EventDamagedError: an event before is not what was written.
        eventsourcing.persistence.PersistenceError: the database fails.
    """
    with persistence_errors(), reading(views) as connection:
        step = _Steps(connection, stream, book, touched_max, events_at_once)
        return step.to_known_seals() if step.ahead else step.to_new_seal()


class CustodySteps:
    """The steps of all books in one place of views. One thread at a time takes the steps of a book."""

    def __init__(self, views: Engine, stream: Stream) -> None:
        """Read with an engine on the views, and write with one for bulk writes."""
        self._views, self._stream = views, stream
        self._writing_engine = open_bulk_engine(views)

    def next(self, book: str) -> Step | None:
        """Compute the next step, as `next_step` does."""
        return next_step(self._views, self._stream, book)

    def write(self, step: Step, position: int) -> bool:
        """Write a step, as `Step.write` does."""
        return step.write(self._writing_engine, position)

    def last(self, book: str) -> SealRow:
        """Return what the tables of a book are. NOT_SEALED also says that they are between two seals."""
        with persistence_errors(), reading(self._views) as connection:
            seal = last_seal(TransactionSnapshot(connection), book)
        return seal if seal.position else NOT_SEALED


class _Steps:
    """Folds the events of a book from where its tables are, in one snapshot of the views."""

    def __init__(
        self, connection: Connection, stream: Stream, book: str, touched_max: int, events_at_once: int
    ) -> None:
        self._stream, self._book = stream, book
        self._touched_max, self._events_at_once, self._at_once = touched_max, events_at_once, 1
        self._changes = CustodyChanges(TransactionSnapshot(connection), book)
        self._begun = self._changes.begun
        self._reached = self._begun.covers
        self._last: RecordedEvent | None = None
        self._only_seals = True
        tracked = sa.select(TRACKING.c.notification_id).where(TRACKING.c.application_name == book)
        self._limit = connection.execute(tracked).scalar() or 0
        ahead = sa.select(SEAL.c.covers, SEAL.c.position).where(
            SEAL.c.book == book, SEAL.c.covers > self._begun.covers
        )
        found = connection.execute(ahead.order_by(SEAL.c.covers).limit(SEALS_AT_ONCE))
        self.ahead = [(covers, position) for covers, position in found]

    def to_known_seals(self) -> Step | None:
        """Fold to the seals that the log has, and compare each."""
        step: Step | None = None
        after = self._begun.covers
        for covers, position in self.ahead:
            if not self._fold(covers):
                return Step(self._changes, self._seal(), after, is_part=True)
            expected = self._seal()
            (entry,) = self._stream.at(self._book, [position])
            found = read_event(self._book, entry).event
            assert isinstance(found, Sealed), found
            if found != expected:
                raise ContradictedSealError(self._book, position, expected, found)
            step, after = Step(self._changes, expected, after, position), covers
            if self._changes.touched >= self._touched_max:
                break
        return step

    def to_new_seal(self) -> Step | None:
        """Fold to where the views are, or as far as a step goes. No seal is made of seals only."""
        begun = self._begun
        if begun.covers and not begun.position:
            return None  # the seal that these tables are on their way to is not in the views yet
        self._fold(self._limit)
        if self._only_seals:
            return None
        return Step(self._changes, self._seal(), begun.covers)

    def _fold(self, covers: int) -> bool:
        """Take the events up to a position. Return false if there are too many, and some are left."""
        while self._reached < covers:
            if self._changes.touched >= self._touched_max:
                return False
            count = min(self._at_once, self._events_at_once, covers - self._reached)
            self._at_once *= 2
            events, stopping = read_known(self._stream, self._book, self._reached, count)
            if not events:
                raise stopping or AssertionError(f"the log of {self._book} ends before its views")
            events = events[: self._changes.take(events, self._touched_max)]
            self._last, self._reached = events[-1], events[-1].position
            self._only_seals &= all(isinstance(item.event, Sealed) for item in events)
        return True

    def _seal(self) -> Sealed:
        assert self._last is not None
        return Sealed(self._last.position, self._last.recorded_at, *self._changes.seal())
