"""A unit's path as pure data: what each event of its past was to the unit."""

import enum
from collections.abc import Sequence
from typing import assert_never

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import RunEvent, Terms
from pathbook.ledger.ranges import range_of
from pathbook.ledger.values import Money, Unit, UnitState


class StepKind(enum.IntEnum):
    """What an event was to the unit."""

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
    """What an event was to a unit.

    ``giver`` and ``receiver`` are "" where there is none. ``terms`` are those on which title was offered or moved
    (TRANSFERRED, SOLD, OFFERED), or those that are undone (RETURNED, REVERSED: their receiver gives). They are
    narrowed to the one range in which the unit moved. ``price_paid`` is what a consumer confirmed for one unit.
    ``transfer`` is the transfer that was agreed or reversed, 0 for none.
    """

    kind: StepKind
    giver: str = ""
    receiver: str = ""
    terms: Terms | None = None
    price_paid: Money | None = None
    transfer: int = 0


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a unit's past: what it was to the unit, and what it left behind.

    ``corrected`` marks what was reversed later and what reverses it. ``data`` is the event as stored and hashed,
    ``head`` the hash of the unit's past up to it.
    """

    position: int
    movement: Movement
    corrected: bool
    occurred_at: int
    recorded_at: int
    state: UnitState
    data: bytes
    head: bytes


def movement(event: RunEvent, position: int, unit: Unit) -> Movement:
    """Return what the event at a position, which changed the unit's run, was to the unit."""
    match event:
        case events.BatchCommissioned():
            return Movement(StepKind.COMMISSIONED, receiver=event.brand)
        case events.TransferOffered():
            return _onward(StepKind.OFFERED, event.terms, unit)
        case events.TransferRecorded():
            return _onward(StepKind.TRANSFERRED, event.terms, unit, position)
        case events.TransferAccepted():
            if (
                range_of(event.terms.ranges, unit) is None
            ):  # the unit was offered, and is among the discrepancies
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
    """Return which steps of a path, by index, its reversals made as if they had never been.

    Of each reversal: the transfer it undoes, itself, and all between. What lies between had come to nothing before,
    a sale and its return for example, and was built on that transfer.
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
    """The receiver gives, and the giver receives, at the price then paid."""
    return Movement(kind, terms.receiver, terms.giver, _narrowed(terms, unit), transfer=transfer)


def _narrowed(terms: Terms, unit: Unit) -> Terms:
    if len(terms.ranges) == 1:
        return terms
    part = range_of(terms.ranges, unit)
    assert part is not None, (terms, unit)
    return terms.narrowed((part,))
