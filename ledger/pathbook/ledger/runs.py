"""Runs: a batch as maximal intervals of units with the same past, and how each event changes them.

The cost of an event grows with the number of runs that it touches, never with their units. Rules and projections
apply events to the same partitions. So decisions and views cannot differ.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from hashlib import sha256
from operator import attrgetter
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from pathbook.ledger import events
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.hops import NOT_LOADED, Hop, before
from pathbook.ledger.ranges import union, without
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Delivery, Ranges, Unit, UnitRange, UnitState, is_consumer

EMPTY_HEAD = sha256(b"").digest()
"""The head of units without a past: the hash of an empty tree, RFC 6962 section 2.1."""

MAX_INDEXED_AT_ONCE = 500
"""The most runs or ranges that an event changes within the stock index. After more, the index is rebuilt when used."""

_FIRST: Final = attrgetter("first")

# Looked up once, because the lookup of an enum member takes as long as making a run.
_IN_STOCK: Final = UnitState.IN_STOCK
_OFFERED: Final = UnitState.OFFERED
_SOLD: Final = UnitState.SOLD
_HELD: Final = frozenset({UnitState.IN_STOCK, UnitState.SOLD, UnitState.CONFIRMED})
_WITH_TITLE: Final = Delivery.WITH_TITLE


def next_head(head: bytes, leaf: bytes, position: int) -> bytes:
    """Return the head after one more event: SHA-256(0x01 | head | leaf | position), of 8 bytes, big-endian.

    The leaf alone does not say where the event stands. With the position, the same event elsewhere in the book leads
    to another head.
    """
    return sha256(b"\x01" + head + leaf + position.to_bytes(8, "big")).digest()


class Run(msgspec.Struct, frozen=True, gc=False):
    """Units first .. last of a batch with the same past, in force since position ``valid_from``.

    ``position`` is the last event of their past. ``origin`` is the first unit of the run that this event made. If a
    later event cut a part off the run, ``valid_from`` is the position of that event. (``previous``,
    ``previous_origin``) name the run that the event before made, in the same way.

    ``transfer`` is the open offer that reserves the units. Without one it is the transfer by which they last came,
    or 0. ``last_hop`` is the end of the chain of transfers and sales by which the units came and that are still in
    force.
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
    last_hop: Hop | None
    head: bytes


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one event did to one run: the run before the event, and its pieces after it, in order of unit numbers.

    ``changed`` is the piece that the event touched. ``remainders`` are the ends that it cut off and did not touch.
    The commissioning of a batch has no ``before``.
    """

    batch: int
    before: Run | None
    changed: Run
    remainders: tuple[Run, ...]


class _Move(msgspec.Struct, frozen=True, gc=False):
    """How an event changes the runs in its ranges. A field that is None changes nothing.

    ``push`` is a transfer that becomes the last hop. ``pop_from`` is the custodian to whom the last hop moved the
    goods. This hop is removed, and goods that still lie with this custodian go back to where it moved them from.
    ``in_hand`` sets the state to SOLD if a consumer owns the units, and else to IN_STOCK.
    """

    ranges: Ranges
    owner: str | None = None
    custodian: str | None = None
    state: UnitState | None = None
    reserved_by: int = 0
    push: int = 0
    pop_from: str | None = None
    in_hand: bool = False


class Partition:
    """The runs of one batch, in order. Each unit of the batch is in exactly one run."""

    __slots__ = ("_in_stock", "batch", "runs")

    def __init__(self, batch: int, runs: Iterable[Run]) -> None:
        """Take the current runs of a batch, in order of their first unit."""
        self.batch = batch
        self.runs = list(runs)
        self._in_stock: dict[str, list[int]] | None = None

    def in_stock(self, owner: str) -> Iterator[Run]:
        """Yield the runs that a party is free to move, or that a consumer has bought, lowest numbers first."""
        if self._in_stock is None:  # built at the first use, because only quantities need it
            self._in_stock = {}
            self._index(self._in_stock, [], self.runs)
        for first in self._in_stock.get(owner, ()):
            yield self.runs[bisect_left(self.runs, first, key=_FIRST)]

    def drop_index(self) -> None:
        """Drop the stock index, which is rebuilt at its next use. This is cheaper than many changes to it."""
        self._in_stock = None

    def _index(self, in_stock: dict[str, list[int]], removed: list[Run], added: list[Run]) -> None:
        if len(removed) > MAX_INDEXED_AT_ONCE:
            self.drop_index()
            return
        for run in removed:
            if run.state in _HELD:
                firsts = in_stock[run.owner]
                del firsts[bisect_left(firsts, run.first)]
        for run in added:
            if run.state in _HELD:
                insort(in_stock.setdefault(run.owner, []), run.first)

    def overlapping(self, first: int, last: int) -> list[Run]:
        """Return the runs that hold any of the units first .. last, in order."""
        return self.runs[self._place(first, last)]

    def count(self, first: int, last: int) -> int:
        """Return the number of runs that hold any of the units first .. last."""
        place = self._place(first, last)
        return int(place.stop - place.start)

    def _place(self, first: int, last: int) -> slice:
        # A separate list of first units would be searched faster, but every cut would shift it too. In a batch of
        # 15,000 runs that costs as much as it saves. In a batch of 100,000 runs it costs ten microseconds more.
        low = bisect_right(self.runs, first, key=_FIRST) - 1
        high = low + 1
        if self.runs[low].last < last:  # rare, because most ranges lie within one run
            high = bisect_right(self.runs, last, high, key=_FIRST)
        return slice(low, high)

    def apply(self, move: _Move, part: UnitRange, position: int, leaf: bytes, changes: list[Change]) -> None:
        """Change the units of one range, and append a change for each run to ``changes``."""
        first, last = part.first, part.last
        place = self._place(first, last)
        replaced = self.runs[place]
        pieces: list[Run] = []
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
            pieces += left
            pieces.append(changed)
            pieces += right
        self.runs[place] = pieces
        if self._in_stock is not None:
            self._index(self._in_stock, replaced, pieces)

    def roll_back(self, change: Change) -> None:
        """Undo a change whose pieces have not changed since. They become the run before again."""
        before = change.before
        assert before is not None, change
        low = bisect_left(self.runs, before.first, key=_FIRST)
        high = low + 1 + len(change.remainders)
        if self._in_stock is not None:
            self._index(self._in_stock, self.runs[low:high], [before])
        self.runs[low:high] = [before]


def custodian_before(run: Run, receiver: str) -> str:
    """Return who has the goods of a run once its last hop, which was to this receiver, is undone."""
    assert run.last_hop is not None, run
    moved_from = run.last_hop.moved_from
    return moved_from if moved_from and run.custodian == receiver else run.custodian


def _changed(run: Run, move: _Move, first: int, last: int, position: int, leaf: bytes) -> Run:
    last_hop, custodian, state = run.last_hop, run.custodian, move.state
    if move.custodian is not None:
        custodian = move.custodian
    if move.push:
        moved_from = run.custodian if custodian != run.custodian else ""
        last_hop = Hop(move.push, moved_from, run.position, run.origin, last_hop)
    elif move.pop_from is not None:
        custodian = custodian_before(run, move.pop_from)
        assert last_hop is not None, run
        last_hop = before(last_hop)
    transfer = move.reserved_by or (last_hop.transfer if last_hop is not None else 0)
    if state is None and run.state is _OFFERED:
        transfer = run.transfer  # the open offer still reserves the units
    if move.in_hand:
        state = _SOLD if is_consumer(run.owner) else _IN_STOCK
    # Arguments go by position. This is the innermost loop of every write, and with keywords a run takes 0.6
    # microseconds instead of 0.4.
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
        run.state if state is None else state,
        transfer,
        last_hop,
        next_head(run.head, leaf, position),
    )


def commissioned(event: events.BatchCommissioned, position: int, leaf: bytes) -> Partition:
    """Return the partition of a new batch: one run, which the brand owns and has in its custody."""
    head, last = next_head(EMPTY_HEAD, leaf, position), event.size - 1
    brand, state = event.brand, _IN_STOCK
    return Partition(
        event.batch, [Run(0, last, position, position, 0, 0, 0, brand, brand, state, 0, None, head)]
    )


def apply(partitions: dict[int, Partition], recorded: RecordedEvent) -> list[Change]:
    """Apply one event to the partitions of the loaded batches, and return the changes.

    Batches that are not loaded are skipped. The caller first loads those that it needs.
    """
    position, leaf, event = recorded.position, recorded.leaf, recorded.event
    if isinstance(event, events.BatchCommissioned):
        partition = partitions[event.batch] = commissioned(event, position, leaf)
        return [Change(event.batch, None, partition.runs[0], ())]
    changes: list[Change] = []
    for move in _moves(event, position):
        if len(move.ranges) > MAX_INDEXED_AT_ONCE:
            for number in {part.batch for part in move.ranges}.intersection(partitions):
                partitions[number].drop_index()
        for part in move.ranges:
            loaded = partitions.get(part.batch)
            if loaded is not None:
                loaded.apply(move, part, position, leaf, changes)
    return changes


def hops_to_load(partitions: dict[int, Partition], event: Event) -> list[tuple[int, Hop]]:
    """Return the hops that an event undoes and before which no hop is loaded yet, each with its batch.

    The caller loads the hops before them. Then the event can be applied.
    """
    if not isinstance(event, events.TransferReversed | events.UnitsReturned):
        return []  # nothing else undoes a hop
    return [
        (part.batch, hop)
        for move in _moves(event, 0)
        for part in move.ranges
        if part.batch in partitions
        for run in partitions[part.batch].overlapping(part.first, part.last)
        if (hop := run.last_hop) is not None and hop.earlier is NOT_LOADED
    ]


def after(run: Run, recorded: RecordedEvent, unit: Unit) -> Run | None:
    """Return the run of one unit after an event, or None unless the event changes the unit exactly once.

    Nothing need be known of other units. An event that no book writes could name a unit twice.
    """
    moves = [
        move for move in _moves(recorded.event, recorded.position) for part in move.ranges if _has(part, unit)
    ]
    if len(moves) != 1:
        return None
    return _changed(run, moves[0], unit.number, unit.number, recorded.position, recorded.leaf)


def _has(part: UnitRange, unit: Unit) -> bool:
    return part.batch == unit.batch and part.first <= unit.number <= part.last


def batches(event: Event) -> set[int]:
    """Return the batches whose runs an event changes."""
    if isinstance(
        event, events.TransferRecorded
    ):  # faster without moves, and nearly all events are of this kind
        return {part.batch for part in event.terms.ranges}
    if isinstance(event, events.BatchCommissioned):
        return {event.batch}
    return {part.batch for move in _moves(event, 0) for part in move.ranges}


def _moves(event: Event, position: int) -> list[_Move]:
    """Return how an event changes runs. Events about the book, parties, products, cases and recalls change none."""
    match event:  # the most frequent kinds come first, because a match tries its cases in turn
        case events.TransferRecorded():
            return [_onward(event.terms, _IN_STOCK, position)]
        case events.UnitsSold():
            return [_onward(event.terms, _SOLD, position)]
        case events.TransferOffered(terms):
            return [_Move(terms.ranges, state=_OFFERED, reserved_by=position)]
        case events.TransferAccepted(transfer, terms, discrepancies):
            # all at once, because neighbors that stay behind for different reasons have the same past
            released = union(part for item in discrepancies for part in item.ranges)
            return [_onward(terms, _IN_STOCK, transfer), _Move(released, state=_IN_STOCK)]
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
        case events.TransferAttested(ranges=ranges):
            return [_Move(ranges)]
        case events.ErrorDeclared(declared=declared):
            return _undoing(declared)
        case (
            events.BookOpened()
            | events.PartyRegistered()
            | events.PartyAuthorized()
            | events.AuthorizationRevoked()
            | events.ProductRegistered()
            | events.BatchCommissioned()
            | events.ReversalAsked()
            | events.CasePacked()
            | events.CaseUnpacked()
            | events.UnitsRecalled()
            | events.RecallLifted()
            | events.ProductCorrected()
            | events.BatchCorrected()
            | events.PartyCorrected()
        ):
            return []
        case _:
            assert_never(event)


def _undoing(declared: events.DeclarableEvent) -> list[_Move]:
    """Return how the declaration that an event was an error changes runs."""
    match declared:
        case events.UnitsWrittenOff(ranges=ranges, confirmed=confirmed):
            return [
                _Move(confirmed, state=UnitState.CONFIRMED),
                _Move(without(ranges, confirmed), in_hand=True),
            ]
        case events.PurchaseConfirmed(ranges=ranges):
            return [_Move(ranges, state=_SOLD)]
        case events.UnitsDelivered(custodian=custodian, ranges=ranges):
            return [_Move(ranges, custodian=custodian)]
        case events.ReversalAsked():
            return []
        case _:
            assert_never(declared)


def _onward(terms: Terms, state: UnitState, transfer: int) -> _Move:
    custodian = terms.receiver if terms.delivery is _WITH_TITLE else None
    return _Move(terms.ranges, terms.receiver, custodian, state, 0, transfer)


def _back(terms: Terms) -> _Move:
    return _Move(terms.ranges, terms.giver, state=_IN_STOCK, pop_from=terms.receiver)
