"""Takes the events of a book in their order, and computes again everything that they lead to."""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from pathbook.audit.book import Book
from pathbook.audit.custody import Custody
from pathbook.audit.differences import DifferenceError, Rule, UncheckableError
from pathbook.audit.movements import check_movement
from pathbook.audit.registers import check_register
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, leaf_hash
from pathbook.ledger.events import (
    BatchCommissioned,
    BookOpened,
    DeclarableEvent,
    RecordedEvent,
    RunEvent,
    Sealed,
)
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.tree import Frontier
from pathbook.ledger.rules.state import evolve

LOOK_AHEAD: Final = 200_000
"""How many events are kept to find the seal that covers one of them: those of more than ten seconds. A seal covers a
position in the past, and the custody root of that position can be computed only when it has its turn."""

_SEALED: Final = b"\xb2\x02"
"""The tag of field 38, in which a stored event is a Sealed. Few other events have these bytes."""


class Replayed(msgspec.Struct, frozen=True):
    """What was replayed without a difference.

    Attributes:
        origin: of the book.
        events: how many.
        root: of the tree over all of them.
        recorded_at: when the last was recorded, in microseconds since 1970 UTC.
        seals: how many there are.
        covers: the position that the last of them covers, 0 without one.
    """

    origin: str
    events: int
    root: bytes
    recorded_at: int
    seals: int
    covers: int


class _Covered(NamedTuple):
    """What a seal of a position must say."""

    recorded_at: int
    batches: int
    parties: int
    root: bytes


class Auditor:
    """Audits one book. Give it all events in their order, then `finish`."""

    def __init__(self, checkpoints: Iterable[Checkpoint] = ()) -> None:
        """Compare the tree with these checkpoints, each at its size. Whose word they are is not asked here."""
        self._checkpoints: dict[int, list[Checkpoint]] = {}
        for checkpoint in checkpoints:
            self._checkpoints.setdefault(checkpoint.size, []).append(checkpoint)
        self._book = Book()
        self._custody = Custody(self._book.state.partitions)
        self._tree = Frontier()
        self._ahead: deque[tuple[bytes, bytes]] = deque()
        self._taken = 0
        self._through = 0  # a seal that covers this position was taken, so no later one covers an earlier one
        self._covered: dict[int, _Covered | None] = {}
        self._seals = 0

    def take(self, data: bytes, published: bytes = b"") -> None:
        """Take the bytes of the next event, and the hash that was published of them, if there is one.

        Raises:
            DifferenceError: at this event or one before it. The auditor is of no use after that.
            UncheckableError: an event is newer than this program, or a seal covers a position too far back.
        """
        self._taken += 1
        self._ahead.append((data, published))
        if _SEALED in data:
            self._look_ahead(data)
        while self._ahead and (self._tree.size < self._through or len(self._ahead) > LOOK_AHEAD):
            self._replay(*self._ahead.popleft())

    def finish(self) -> Replayed:
        """Replay what is left, and return what was replayed. Raises as `take`."""
        while self._ahead:
            self._replay(*self._ahead.popleft())
        size, state = self._tree.size, self._book.state
        if size == 0:
            raise DifferenceError(1, Rule.OPENING, "there is no event")
        if beyond := [signed for signed in self._checkpoints if signed > size]:
            found = f"a checkpoint is of {max(beyond)} events, but the log ends before this one"
            raise DifferenceError(size + 1, Rule.CHECKPOINT_SIZE, found)
        return Replayed(
            state.origin, size, self._tree.root(), state.recorded_at, self._seals, state.last_covers
        )

    def _look_ahead(self, data: bytes) -> None:
        """Note which position a seal covers, if the event is one. It is checked when it has its turn."""
        try:
            event = decode(self._taken, data).event
        except (MalformedEventError, NewerEventError):
            return
        if isinstance(event, Sealed) and self._tree.size <= event.covers < self._taken:
            self._covered.setdefault(event.covers, None)
            self._through = max(self._through, event.covers)
            if event.covers == self._tree.size:
                self._cover(event.covers)

    def _cover(self, position: int) -> None:
        """Compute what a seal of the last event must say."""
        custody, moment = self._custody, self._book.state.recorded_at
        self._covered[position] = _Covered(moment, custody.batches, custody.parties, custody.root())

    def _replay(self, data: bytes, published: bytes) -> None:
        position = self._tree.size + 1
        leaf = leaf_hash(data)
        if published and published != leaf:
            raise DifferenceError(position, Rule.LEAF, "the entry is not the one whose hash was published")
        self._follow(self._decoded(position, data, leaf))
        self._tree.append(leaf)
        if position in self._covered:
            self._cover(position)
        for checkpoint in self._checkpoints.get(position, ()):
            if checkpoint.root != self._tree.root():
                found = f"the events up to here do not have the root of the checkpoint of {position} events"
                raise DifferenceError(position, Rule.CHECKPOINT_ROOT, found)

    def _decoded(self, position: int, data: bytes, leaf: bytes) -> RecordedEvent:
        try:
            return decode(position, data, leaf=leaf)
        except MalformedEventError as error:
            raise DifferenceError(position, Rule.FORM, str(error)) from None
        except NewerEventError as error:
            raise UncheckableError(str(error)) from None

    def _follow(self, recorded: RecordedEvent) -> None:
        """Check that an event follows from those before, then apply it."""
        book, position, event = self._book, recorded.position, recorded.event
        if recorded.recorded_at < book.state.recorded_at:
            raise DifferenceError(position, Rule.TIME, "it was recorded earlier than the event before it")
        if isinstance(event, BookOpened) is not (position == 1):
            raise DifferenceError(position, Rule.OPENING, "the first event must open the book, and only that")
        if recorded.request in book.requests:
            raise DifferenceError(position, Rule.REQUEST, "its request was answered before")
        book.requests.add(recorded.request)
        if isinstance(event, RunEvent) and not isinstance(event, BatchCommissioned):
            check_movement(book, recorded, event)
        else:
            check_register(book, recorded, event)
        if isinstance(event, Sealed):
            self._check_seal(position, event)
        elif isinstance(event, BookOpened):
            self._check_origin(event)
        if isinstance(event, DeclarableEvent):
            book.state.declarables[position] = None  # a state keeps those that were asked for before
        self._custody.apply(recorded, evolve(book.state, recorded))

    def _check_origin(self, event: BookOpened) -> None:
        for checkpoint in (each for found in self._checkpoints.values() for each in found):
            if checkpoint.origin != event.origin:
                found = f"the book has the origin {event.origin}, but the checkpoint {checkpoint.origin}"
                raise DifferenceError(1, Rule.CHECKPOINT_ORIGIN, found)

    def _check_seal(self, position: int, event: Sealed) -> None:
        last = self._book.state.last_covers
        if not last < event.covers < position:
            found = f"it covers position {event.covers}, but must cover one between {last} and its own"
            raise DifferenceError(position, Rule.SEAL, found)
        covered = self._covered.get(event.covers)
        if covered is None:
            raise UncheckableError(
                f"The seal at position {position} covers position {event.covers}. That is more than {LOOK_AHEAD}"
                " events before it, and the custody of that time is no longer in memory."
            )
        if event.covers_recorded_at != covered.recorded_at:
            found = f"it states another time of position {event.covers} than that of its event"
            raise DifferenceError(position, Rule.SEAL, found)
        if (event.batches, event.parties) != (covered.batches, covered.parties):
            found = (
                f"it counts {event.batches} batches and {event.parties} parties, but there were"
                f" {covered.batches} and {covered.parties}"
            )
            raise DifferenceError(position, Rule.SEAL_COUNTS, found)
        if event.root != covered.root:
            found = f"the units, batches and parties as of position {event.covers} have another custody root"
            raise DifferenceError(position, Rule.SEAL_ROOT, found)
        self._seals += 1
        self._covered = {other: found for other, found in self._covered.items() if other > event.covers}
