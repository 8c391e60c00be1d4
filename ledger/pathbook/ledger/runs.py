"""Runs: a batch as maximal intervals of units with the same past, and how each event changes them.

Cost grows with the number of runs an event touches, never with the number of units in them. Rules and projections
both fold events over these partitions, so what is decided on and what is shown cannot drift apart.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from hashlib import sha256
from operator import attrgetter
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from pathbook.ledger import events
from pathbook.ledger.events import Event, RecordedEvent, Terms
from pathbook.ledger.values import Delivery, Ranges, UnitRange, UnitState

EMPTY_HEAD = sha256(b"").digest()
"""The head of units with no past: the hash of an empty tree, RFC 6962 section 2.1."""

MAX_INDEXED_AT_ONCE = 500
"""How many runs or ranges are moved within the index of stock; where more change, it is made anew when asked for."""

_FIRST: Final = attrgetter("first")

# Looked up once: to ask an enum for its member takes as long as to make a run.
_IN_STOCK: Final = UnitState.IN_STOCK
_OFFERED: Final = UnitState.OFFERED
_SOLD: Final = UnitState.SOLD
_WITH_TITLE: Final = Delivery.WITH_TITLE


def next_head(head: bytes, leaf: bytes) -> bytes:
    """Return the head after one more event: RFC 6962's node hash, SHA-256(0x01 | head | leaf)."""
    return sha256(b"\x01" + head + leaf).digest()


class Run(msgspec.Struct, frozen=True, gc=False):
    """Units first .. last of a batch with the same past, in force since position ``valid_from``.

    ``position`` is the last event of their past and ``origin`` the first unit of the run that event made: where a
    later cut left this run smaller, ``valid_from`` is the cut's position. (``previous``, ``previous_origin``) name
    the run made by the event before, in the same way. ``transfer`` is the open offer that reserves the units, else
    the transfer they last came by, 0 for none. ``chain`` holds the transfers and sales they came by and that stand,
    oldest first.
    """

    first: int
    last: int
    valid_from: int
    position: int
    origin: int
    previous: int
    previous_origin: int
    owner: str
    custodian: str
    state: UnitState
    transfer: int
    chain: tuple[int, ...]
    head: bytes


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one event did to one run: the run as it was, and what became of it, in order of unit numbers.

    ``changed`` is the piece the event touched; ``remainders`` the untouched ends cut off by it. A batch's
    commissioning has no ``before``.
    """

    batch: int
    before: Run | None
    changed: Run
    remainders: tuple[Run, ...]


class _Move(msgspec.Struct, frozen=True, gc=False):
    """How an event changes the runs in its ranges. None keeps what is there.

    ``custodian_from`` moves the goods only where they lie with that party. ``push`` lengthens the chain by a
    transfer, ``pop`` takes the last one back.
    """

    ranges: Ranges
    owner: str | None = None
    custodian: str | None = None
    custodian_from: str | None = None
    state: UnitState | None = None
    reserved_by: int = 0
    push: int = 0
    pop: bool = False


class Partition:
    """The runs of one batch, in order, covering every unit of it once."""

    __slots__ = ("_in_stock", "batch", "runs")

    def __init__(self, batch: int, runs: Iterable[Run]) -> None:
        """Take the current runs of a batch, in order of their first unit."""
        self.batch = batch
        self.runs = list(runs)
        self._in_stock: dict[str, list[int]] | None = None

    def in_stock(self, owner: str) -> Iterator[Run]:
        """Yield the runs an owner is free to move, lowest numbers first."""
        if self._in_stock is None:  # indexed when first asked for: only quantities need it
            self._in_stock = {}
            self._index(self._in_stock, [], self.runs)
        for first in self._in_stock.get(owner, ()):
            yield self.runs[bisect_left(self.runs, first, key=_FIRST)]

    def forget_index(self) -> None:
        """Let the index of stock be made anew when it is next asked for: cheaper than many changes to it."""
        self._in_stock = None

    def _index(self, in_stock: dict[str, list[int]], gone: list[Run], come: list[Run]) -> None:
        if len(gone) > MAX_INDEXED_AT_ONCE:
            self.forget_index()
            return
        for run in gone:
            if run.state is _IN_STOCK:
                firsts = in_stock[run.owner]
                del firsts[bisect_left(firsts, run.first)]
        for run in come:
            if run.state is _IN_STOCK:
                insort(in_stock.setdefault(run.owner, []), run.first)

    def overlapping(self, first: int, last: int) -> list[Run]:
        """Return the runs that hold any of the units first .. last, in order."""
        return self.runs[self._place(first, last)]

    def count(self, first: int, last: int) -> int:
        """Return how many runs hold any of the units first .. last."""
        place = self._place(first, last)
        return int(place.stop - place.start)

    def _place(self, first: int, last: int) -> slice:
        # A list of first units beside the runs would be searched faster, but moves with every cut: in a batch of
        # 15,000 runs that costs as much as it saves, in one of 100,000 ten microseconds more.
        low = bisect_right(self.runs, first, key=_FIRST) - 1
        high = low + 1
        if self.runs[low].last < last:  # seldom: most ranges lie within one run
            high = bisect_right(self.runs, last, high, key=_FIRST)
        return slice(low, high)

    def apply(self, move: _Move, part: UnitRange, position: int, leaf: bytes, changes: list[Change]) -> None:
        """Change the units of one range, and add what changed to the changes."""
        first, last = part.first, part.last
        place = self._place(first, last)
        replaced = self.runs[place]
        now: list[Run] = []
        for run in replaced:
            begin, end = run.first, run.last
            left: tuple[Run, ...] = ()
            right: tuple[Run, ...] = ()
            if begin < first:
                left, begin = (replace(run, last=first - 1, valid_from=position),), first
            if end > last:
                right, end = (replace(run, first=last + 1, valid_from=position),), last
            changed = _changed(run, move, begin, end, position, leaf)
            changes.append(Change(self.batch, run, changed, left + right))
            now += left
            now.append(changed)
            now += right
        self.runs[place] = now
        if self._in_stock is not None:
            self._index(self._in_stock, replaced, now)

    def roll_back(self, change: Change) -> None:
        """Undo a change to which nothing has happened since: its pieces are the run they were cut from again."""
        before = change.before
        assert before is not None, change
        low = bisect_left(self.runs, before.first, key=_FIRST)
        high = low + 1 + len(change.remainders)
        if self._in_stock is not None:
            self._index(self._in_stock, self.runs[low:high], [before])
        self.runs[low:high] = [before]


def _changed(run: Run, move: _Move, first: int, last: int, position: int, leaf: bytes) -> Run:
    chain, custodian = run.chain, move.custodian
    if move.push:
        chain = (*chain, move.push)
    elif move.pop:
        chain = chain[:-1]
    if custodian is None or (move.custodian_from is not None and move.custodian_from != run.custodian):
        custodian = run.custodian
    # by position: this is the innermost loop of every write, and keywords take 0.6 microseconds instead of 0.4
    return Run(
        first,
        last,
        position,
        position,
        first,
        run.position,
        run.origin,
        run.owner if move.owner is None else move.owner,
        custodian,
        run.state if move.state is None else move.state,
        move.reserved_by or (chain[-1] if chain else 0),
        chain,
        next_head(run.head, leaf),
    )


def commissioned(event: events.BatchCommissioned, position: int, leaf: bytes) -> Partition:
    """Return the partition of a new batch: one run, the brand's own and in its hands."""
    head, last = next_head(EMPTY_HEAD, leaf), event.size - 1
    brand, state = event.brand, _IN_STOCK
    return Partition(
        event.batch, [Run(0, last, position, position, 0, 0, 0, brand, brand, state, 0, (), head)]
    )


def apply(partitions: dict[int, Partition], recorded: RecordedEvent) -> list[Change]:
    """Fold one event over the partitions of the batches at hand, and return what changed.

    Batches that are not at hand are passed over: the caller loads those it needs first.
    """
    position, leaf, event = recorded.position, recorded.leaf, recorded.event
    if isinstance(event, events.BatchCommissioned):
        partition = partitions[event.batch] = commissioned(event, position, leaf)
        return [Change(event.batch, None, partition.runs[0], ())]
    changes: list[Change] = []
    for move in _moves(event, position):
        if len(move.ranges) > MAX_INDEXED_AT_ONCE:
            for number in {part.batch for part in move.ranges}.intersection(partitions):
                partitions[number].forget_index()
        for part in move.ranges:
            loaded = partitions.get(part.batch)
            if loaded is not None:
                loaded.apply(move, part, position, leaf, changes)
    return changes


def batches(event: Event) -> set[int]:
    """Return the batches whose runs an event changes."""
    if isinstance(event, events.TransferRecorded):  # nearly all events are: these need no moves
        return {part.batch for part in event.terms.ranges}
    if isinstance(event, events.BatchCommissioned):
        return {event.batch}
    return {part.batch for move in _moves(event, 0) for part in move.ranges}


def _moves(event: Event, position: int) -> list[_Move]:
    """Say how an event changes runs; most events about parties, products and cases do not."""
    match event:  # what fills most books comes first, for a match tries its cases in turn
        case events.TransferRecorded():
            return [_onward(event.terms, _IN_STOCK, position)]
        case events.UnitsSold():
            return [_onward(event.terms, _SOLD, position)]
        case events.TransferOffered(terms):
            return [_Move(terms.ranges, state=_OFFERED, reserved_by=position)]
        case events.TransferAccepted(transfer, terms, discrepancies):
            released = [_Move(item.ranges, state=_IN_STOCK) for item in discrepancies]
            return [_onward(terms, _IN_STOCK, transfer), *released]
        case (
            events.TransferDeclined(ranges=ranges)
            | events.TransferWithdrawn(ranges=ranges)
            | events.TransferLapsed(ranges=ranges)
        ):
            return [_Move(ranges, state=_IN_STOCK)]
        case events.TransferReversed(terms=terms):
            return [_back(terms)]
        case events.UnitsReturned(lines=lines):
            return [_back(line.terms) for line in lines]
        case events.UnitsDelivered(receiver=receiver, ranges=ranges):
            return [_Move(ranges, custodian=receiver)]
        case events.PurchaseConfirmed(ranges=ranges):
            return [_Move(ranges, state=UnitState.CONFIRMED)]
        case events.UnitsWrittenOff(ranges=ranges, state=state):
            return [_Move(ranges, state=state)]
        case (
            events.PartyRegistered()
            | events.PartyAuthorized()
            | events.AuthorizationRevoked()
            | events.ProductRegistered()
            | events.BatchCommissioned()
            | events.ReversalAsked()
            | events.CasePacked()
            | events.CaseUnpacked()
            | events.UnitsRecalled()
            | events.RecallLifted()
        ):
            return []
        case _:
            assert_never(event)


def _onward(terms: Terms, state: UnitState, transfer: int) -> _Move:
    custodian = terms.receiver if terms.delivery is _WITH_TITLE else None
    return _Move(terms.ranges, terms.receiver, custodian, None, state, 0, transfer)


def _back(terms: Terms) -> _Move:
    # the goods come back only where they had come along: cloud stock stays where it lies
    return _Move(terms.ranges, terms.giver, terms.giver, terms.receiver, _IN_STOCK, pop=True)
