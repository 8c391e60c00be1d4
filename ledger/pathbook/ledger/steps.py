"""The path of a unit as pure data: what each event of its past did to the unit."""

import enum
from collections.abc import Sequence
from typing import assert_never

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import RunEvent, Terms
from pathbook.ledger.notes import Note
from pathbook.ledger.ranges import range_of
from pathbook.ledger.values import Price, Unit, UnitState


class StepKind(enum.IntEnum):
    """The kind of a step: what an event did to the unit."""

    COMMISSIONED = 1
    TRANSFERRED = 2
    DELIVERED = 3
    SOLD = 4
    CONFIRMED = 5
    RETURNED = 6
    WRITTEN_OFF = 7
    OFFERED = 8
    RELEASED = 9
    REVERSED = 10


class Movement(msgspec.Struct, frozen=True, gc=False):
    """What an event did to a unit.

    ``giver`` and ``receiver`` are "" if there is none. ``terms`` are those on which title was offered or moved
    (TRANSFERRED, SOLD, OFFERED). For RETURNED and REVERSED they are the terms that the event undoes, and their
    receiver is the giver. The terms have only the one range in which the unit moved. ``price_paid`` is the price of
    one unit that a consumer confirmed. ``transfer`` is the transfer that was agreed or reversed, or 0.
    """

    kind: StepKind
    giver: str = ""
    receiver: str = ""
    terms: Terms | None = None
    price_paid: Price | None = None
    transfer: int = 0


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a unit's past: what it did to the unit, and the state of the unit after it.

    ``corrected`` marks a step that a reversal undid, and the reversal. ``data`` is the event as stored and hashed.
    ``head`` is the hash of the unit's past up to this event. ``note`` is the note of the event, or None if it had none
    or was erased.
    """

    position: int
    movement: Movement
    corrected: bool
    occurred_at: int
    recorded_at: int
    state: UnitState
    data: bytes
    head: bytes
    note: Note | None = None


def movement(event: RunEvent, position: int, unit: Unit) -> Movement:
    """Return what the event at a position did to the unit. The event changed the unit's run."""
    match event:
        case events.BatchCommissioned():
            return Movement(StepKind.COMMISSIONED, receiver=event.brand)
        case events.TransferOffered():
            return _onward(StepKind.OFFERED, event.terms, unit)
        case events.TransferRecorded():
            return _onward(StepKind.TRANSFERRED, event.terms, unit, position)
        case events.TransferAccepted():
            # a unit that was offered and is not in the accepted terms is among the discrepancies
            if range_of(event.terms.ranges, unit) is None:
                return Movement(StepKind.RELEASED, event.terms.giver, event.terms.receiver)
            return _onward(StepKind.TRANSFERRED, event.terms, unit, event.transfer)
        case events.UnitsSold():
            return _onward(StepKind.SOLD, event.terms, unit, position)
        case events.TransferReversed():
            return _back(StepKind.REVERSED, event.terms, unit, event.transfer)
        case events.UnitsReturned():
            terms = next(line.terms for line in event.lines if range_of(line.terms.ranges, unit))
            return _back(StepKind.RETURNED, terms, unit)
        case events.TransferDeclined() | events.TransferWithdrawn() | events.TransferLapsed():
            return Movement(StepKind.RELEASED, event.giver, event.receiver)
        case events.UnitsDelivered():
            return Movement(StepKind.DELIVERED, event.custodian, event.receiver)
        case events.PurchaseConfirmed():
            return Movement(StepKind.CONFIRMED, receiver=event.consumer, price_paid=event.price_paid)
        case events.UnitsWrittenOff():
            return Movement(StepKind.WRITTEN_OFF, event.party)
        case _:
            assert_never(event)


def undone(movements: Sequence[Movement]) -> set[int]:
    """Return the indexes of the steps of a path that its reversals undid.

    These are, for each reversal, the transfer that it undoes, the reversal itself, and all steps between them. The
    steps between were built on that transfer and had come to nothing before, such as a sale and its return.
    """
    began: dict[int, int] = {}
    found: set[int] = set()
    for index, item in enumerate(movements):
        if item.kind in (StepKind.TRANSFERRED, StepKind.SOLD):
            began[item.transfer] = index
        elif item.kind is StepKind.REVERSED:
            found.update(range(began[item.transfer], index + 1))
    return found


def _onward(kind: StepKind, terms: Terms, unit: Unit, transfer: int = 0) -> Movement:
    return Movement(kind, terms.giver, terms.receiver, _narrowed(terms, unit), transfer=transfer)


def _back(kind: StepKind, terms: Terms, unit: Unit, transfer: int = 0) -> Movement:
    """Return a movement back: the receiver of the terms gives, at the price that was paid."""
    return Movement(kind, terms.receiver, terms.giver, _narrowed(terms, unit), transfer=transfer)


def _narrowed(terms: Terms, unit: Unit) -> Terms:
    if len(terms.ranges) == 1:
        return terms
    part = range_of(terms.ranges, unit)
    assert part is not None, (terms, unit)
    return terms.narrowed((part,))
