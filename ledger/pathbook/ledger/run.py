"""A run: units of a batch with the same past, and what an event makes of it.

This module is not compiled. Compiled code makes a new object of each number that it passes on. So a run and its hops
would take 350 bytes more, and processes keep hundreds of thousands of them.
"""

from hashlib import sha256
from typing import Final

import msgspec

from pathbook.ledger.hops import Hop, before
from pathbook.ledger.moves import Move
from pathbook.ledger.values import UnitState, is_consumer

EMPTY_HEAD = sha256(b"").digest()
"""The head of units without a past: the hash of an empty tree, RFC 6962 section 2.1."""

NO_HEAD = b""
"""In place of the head where no heads are kept, as in the stories of reports. What comes after it has none either."""

# Looked up once, because the lookup of an enum member takes as long as making a run.
_IN_STOCK: Final = UnitState.IN_STOCK
_OFFERED: Final = UnitState.OFFERED
_SOLD: Final = UnitState.SOLD


def next_head(head: bytes, leaf: bytes, position: int) -> bytes:
    """Return the head after one more event: SHA-256(0x01 | head | leaf | position), of 8 bytes, big-endian.

    Because of the position, the same event elsewhere in the book leads to another head.
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


def custodian_before(run: Run, receiver: str) -> str:
    """Return who has the goods of a run once its last hop, which was to this receiver, is undone."""
    assert run.last_hop is not None, run
    moved_from = run.last_hop.moved_from
    return moved_from if moved_from and run.custodian == receiver else run.custodian


def run_after(run: Run, move: Move, first: int, last: int, position: int, leaf: bytes) -> Run:
    """Return what a move makes of the units first .. last of a run. The move is of the event at a position."""
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
    # By position: this is the innermost loop of every write, and keywords make it 0.6 microseconds instead of 0.4.
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
        next_head(run.head, leaf, position) if run.head else NO_HEAD,
    )
