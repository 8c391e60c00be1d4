"""Takes the events of a book in their order, and computes again everything that they lead to."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Self

import msgspec

from pathbook.audit.book import Book
from pathbook.audit.custody import Custody
from pathbook.audit.differences import DifferenceError, Rule, UncheckableError
from pathbook.audit.kept import KeptAuditor, book_of, keep_book, keep_custody, partitions_of, recorded_of
from pathbook.audit.movements import check_movement
from pathbook.audit.registers import check_register
from pathbook.audit.statements import check_filing, check_keys, check_statement
from pathbook.ledger import runs
from pathbook.ledger.chains import extended, links
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, leaf_hash
from pathbook.ledger.events import (
    BatchCommissioned,
    BookOpened,
    DeclarableEvent,
    RecordedEvent,
    RegisterEvent,
    RunEvent,
    Sealed,
)
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.tree import EMPTY_ROOT, Frontier
from pathbook.ledger.rules.state import evolve
from pathbook.ledger.run import Change
from pathbook.ledger.runs import Partition

SEALS_REMEMBERED: Final = 1_000
"""Of how many of the last seals the root of the tree is remembered. A checkpoint is signed a moment after its seal."""

LOOK_BACK: Final = 200_000
"""How many events are kept to find the custody of the position that a seal covers: those of more than ten seconds. A
seal covers a position in the past, so the runs go back to it, and forth again."""


class Replayed(msgspec.Struct, frozen=True):
    """What was replayed without a difference.

    Attributes:
        origin: of the book.
        events: how many.
        root: of the tree over all of them.
        recorded_at: when the last was recorded, in microseconds since 1970 UTC.
        seals: how many there are.
        covers: the position that the last of them covers, 0 without one.
        claimed: the acceptances by which receivers took more extra units than their givers allowed. That these gave
            them is the word of the receivers. A book records no new ones.
    """

    origin: str
    events: int
    root: bytes
    recorded_at: int
    seals: int
    covers: int
    claimed: tuple[int, ...] = ()


class _Followed(NamedTuple):
    """An event after the position of the custody: its bytes, and what it did to runs."""

    recorded: RecordedEvent
    data: bytes
    changes: list[Change]


class Auditor:
    """Audits one book. Give it all events in their order, and ask what was `replayed` at any time."""

    def __init__(self, checkpoints: Iterable[Checkpoint] = ()) -> None:
        """Compare the tree with these checkpoints, each at its size. Whose word they are is not asked here."""
        self._book = Book()
        self._custody = Custody(self._book.state.partitions)
        self._custody_at, self._custody_time = 0, 0  # it goes from seal to seal, and lags behind the runs
        self._followed: deque[_Followed] = deque()
        self._tree = Frontier()
        self._last_leaf = b""
        self._seals = 0
        self._expected: dict[int, list[Checkpoint]] = {}
        self._demanded: list[Checkpoint] = []
        self._compared: dict[int, bytes] = {0: EMPTY_ROOT}
        self._sealed: dict[int, bytes] = {}  # a checkpoint may be signed after its seal was taken
        for checkpoint in checkpoints:
            self.expect(checkpoint)

    @property
    def position(self) -> int:
        """The position of the last event that was taken, 0 before the first."""
        return self._tree.size

    @property
    def book(self) -> Book:
        """What is known of the book as of the last event."""
        return self._book

    @property
    def compared(self) -> Mapping[int, bytes]:
        """The roots of the checkpoints that were compared, by their sizes."""
        return self._compared

    @property
    def last_leaf(self) -> bytes:
        """The leaf of the last event, b"" before the first."""
        return self._last_leaf

    def expect(self, checkpoint: Checkpoint, *, is_demanded: bool = False) -> bool:
        """Compare the tree with a checkpoint, now or when it has as many events.

        One that is demanded is kept with the auditor until the tree has as many.

        Return false if the tree has more events already, and this size was neither compared before nor is that of one
        of the last seals. Then only a proof of consistency tells.

        Raises:
            DifferenceError: CHECKPOINT_ROOT or CHECKPOINT_ORIGIN.
        """
        if self._book.state.origin:
            _check_origin(self._book.state.origin, checkpoint)
        if checkpoint.size > self._tree.size:
            self._expected.setdefault(checkpoint.size, []).append(checkpoint)
            if is_demanded and checkpoint not in self._demanded:
                self._demanded.append(checkpoint)
            return True
        root = self._compared.get(checkpoint.size) or self._sealed.get(checkpoint.size)
        if root is None:
            return False
        _check_root(checkpoint, root)
        self._compared[checkpoint.size] = root
        return True

    def take(self, data: bytes, published: bytes = b"") -> None:
        """Take the bytes of the next event, and the hash that was published of them, if there is one.

        Raises:
            DifferenceError: at this event. The auditor is of no use after that.
            UncheckableError: the event is newer than this program, or a seal covers a position too far back.
        """
        position = self._tree.size + 1
        leaf = leaf_hash(data)
        if published and published != leaf:
            raise DifferenceError(position, Rule.LEAF, "the entry is not the one whose hash was published")
        recorded = self._decoded(position, data, leaf)
        self._follow(recorded, data)
        self._tree.append(leaf)
        self._last_leaf = leaf
        if isinstance(recorded.event, Sealed):
            self._sealed[position] = self._tree.root()
            if len(self._sealed) > SEALS_REMEMBERED:
                del self._sealed[next(iter(self._sealed))]
        if position in self._expected:
            self._compare(recorded)
        if len(self._followed) > LOOK_BACK:
            self._custody_root(position - LOOK_BACK // 2)

    def replayed(self) -> Replayed:
        """Return what was replayed so far."""
        size, state = self._tree.size, self._book.state
        return Replayed(
            state.origin,
            size,
            self._tree.root(),
            state.recorded_at,
            self._seals,
            state.last_covers,
            tuple(self._book.claimed),
        )

    def finish(self) -> Replayed:
        """Return what was replayed of a log that has no more events.

        Raises:
            DifferenceError: OPENING if there was no event, or CHECKPOINT_SIZE if a checkpoint has more.
        """
        size = self._tree.size
        if size == 0:
            raise DifferenceError(1, Rule.OPENING, "there is no event")
        if self._expected:
            found = f"a checkpoint is of {max(self._expected)} events, but the log ends before this one"
            raise DifferenceError(size + 1, Rule.CHECKPOINT_SIZE, found)
        return self.replayed()

    def _compare(self, recorded: RecordedEvent) -> None:
        """Compare the tree with the checkpoints of its size."""
        root = self._tree.root()
        for checkpoint in self._expected.pop(recorded.position):
            _check_root(checkpoint, root)
        if not isinstance(recorded.event, Sealed):
            found = f"the last event of the checkpoint of {recorded.position} events is no seal"
            raise DifferenceError(recorded.position, Rule.CHECKPOINT_SEAL, found)
        self._compared[recorded.position] = root

    def kept(self) -> KeptAuditor:
        """Return what to keep of this auditor, to go on from here in another process."""
        with self._runs_at(self._custody_at) as later:
            return KeptAuditor(
                keep_book(self._book),
                keep_custody(
                    self._custody, self._custody_at, self._custody_time, self._book.state.partitions
                ),
                [item.data for item in reversed(later)],
                self._tree.size,
                list(self._tree.nodes),
                self._last_leaf,
                self._seals,
                self._compared,
                self._sealed,
                [each for each in self._demanded if each.size > self._tree.size],
            )

    @classmethod
    def restored(cls, kept: KeptAuditor) -> Self:
        """Return the auditor that was kept.

        Raises:
            ValueError, KeyError, MalformedEventError: it does not hold together.
        """
        auditor = cls()
        auditor._restore(kept)
        return auditor

    def _restore(self, kept: KeptAuditor) -> None:
        self._book, before = book_of(kept.book), kept.custody
        state = self._book.state
        state.partitions = partitions_of(before)
        sizes = {number: found.commissioned.size for number, found in state.batches.items() if found}
        self._custody = Custody.restored(state.partitions, sizes, before.batch_heads, before.party_heads)
        self._custody_at, self._custody_time = before.position, before.recorded_at
        self._book.heads = dict(self._custody.heads)
        self._tree = Frontier(kept.size, kept.nodes)
        self._last_leaf, self._seals = kept.last_leaf, kept.seals
        self._compared, self._sealed = kept.compared, kept.sealed
        for checkpoint in kept.demanded:
            self.expect(checkpoint, is_demanded=True)
        if not before.position + len(kept.followed) == kept.size == state.position:
            raise ValueError("it is not as of one position")
        for recorded, data in recorded_of(before.position, kept.followed):
            self._apply(recorded, data, runs.apply(state.partitions, recorded))

    def _custody_root(self, position: int) -> bytes:
        """Bring the custody up to a position, and return its root."""
        with self._runs_at(position):
            for item in self._followed:
                self._custody.apply(item.recorded, item.changes)
            if self._followed:
                self._custody_at, self._custody_time = position, self._followed[-1].recorded.recorded_at
            self._followed.clear()
            return self._custody.root()

    @contextlib.contextmanager
    def _runs_at(self, position: int) -> Iterator[list[_Followed]]:
        """Bring the runs back to a position, and forth again. Yield the events after it, the last one first."""
        partitions, later = self._book.state.partitions, list[_Followed]()
        while self._followed and self._followed[-1].recorded.position > position:
            later.append(self._followed.pop())
            roll_back(partitions, later[-1].recorded.position, later[-1].changes)
        yield later
        for item in reversed(later):
            self._followed.append(item._replace(changes=runs.apply(partitions, item.recorded)))

    def _decoded(self, position: int, data: bytes, leaf: bytes) -> RecordedEvent:
        try:
            return decode(position, data, leaf=leaf, strict=True)
        except MalformedEventError as error:
            raise DifferenceError(position, Rule.FORM, str(error)) from None
        except NewerEventError as error:
            raise UncheckableError(str(error)) from None

    def _follow(self, recorded: RecordedEvent, data: bytes) -> None:
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
            check_statement(book, recorded)
        else:
            check_register(book, recorded, event)
            check_statement(book, recorded)
            self._check_own(recorded, event)
        if isinstance(event, DeclarableEvent):
            book.state.declarables[position] = None  # a state keeps those that were asked for before
        self._apply(recorded, data, evolve(book.state, recorded))

    def _apply(self, recorded: RecordedEvent, data: bytes, changes: list[Change]) -> None:
        """Note what an event did to runs and chains."""
        self._followed.append(_Followed(recorded, data, changes))
        if links(recorded.event):
            self._book.heads.update(extended(self._book.heads, recorded))

    def _check_own(self, recorded: RecordedEvent, event: RegisterEvent | BatchCommissioned) -> None:
        """Check what is about the book, its seals, keys and filed statements."""
        if isinstance(event, Sealed):
            self._check_seal(recorded.position, event)
        elif isinstance(event, StatementsFiled):
            check_filing(self._book, recorded, event)
        elif isinstance(event, BookOpened):
            self._check_origin(event)
        check_keys(self._book, recorded)

    def _check_origin(self, event: BookOpened) -> None:
        for checkpoint in (each for found in self._expected.values() for each in found):
            _check_origin(event.origin, checkpoint)

    def _check_seal(self, position: int, event: Sealed) -> None:
        last = self._book.state.last_covers
        if not last < event.covers < position:
            found = f"it covers position {event.covers}, but must cover one between {last} and its own"
            raise DifferenceError(position, Rule.SEAL, found)
        if event.covers < self._custody_at:
            raise UncheckableError(
                f"The seal at position {position} covers position {event.covers}. That is more than {LOOK_BACK // 2}"
                " events before it, and the custody of that time is no longer in memory."
            )
        root = self._custody_root(event.covers)
        if event.covers_recorded_at != self._custody_time:
            found = f"it states another time of position {event.covers} than that of its event"
            raise DifferenceError(position, Rule.SEAL, found)
        counts = self._custody.batches, self._custody.parties
        if (event.batches, event.parties) != counts:
            found = (
                f"it counts {event.batches} batches and {event.parties} parties, but there were"
                f" {counts[0]} and {counts[1]}"
            )
            raise DifferenceError(position, Rule.SEAL_COUNTS, found)
        if event.root != root:
            found = f"the units, batches and parties as of position {event.covers} have another custody root"
            raise DifferenceError(position, Rule.SEAL_ROOT, found)
        self._seals += 1


def _check_origin(origin: str, checkpoint: Checkpoint) -> None:
    if checkpoint.origin != origin:
        found = f"the book has the origin {origin}, but the checkpoint {checkpoint.origin}"
        raise DifferenceError(1, Rule.CHECKPOINT_ORIGIN, found)


def _check_root(checkpoint: Checkpoint, root: bytes) -> None:
    if checkpoint.root != root:
        size = checkpoint.size
        found = f"the events up to here do not have the root of the checkpoint of {size} events"
        raise DifferenceError(size, Rule.CHECKPOINT_ROOT, found)


def roll_back(partitions: dict[int, Partition], position: int, changes: list[Change]) -> None:
    """Undo what the last event did to the runs of all batches."""
    by_batch: dict[int, list[Change]] = {}
    for change in changes:
        if change.before is None:
            del partitions[change.batch]
        else:
            by_batch.setdefault(change.batch, []).append(change)
    for number, found in by_batch.items():
        partitions[number].roll_back_many(position, found)
