"""The path of a unit as pure data: what each event of its past did to the unit."""

import datetime
import enum
from collections.abc import Collection, Iterator, Sequence
from typing import Final, assert_never

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import RunEvent
from pathbook.ledger.notes import Note
from pathbook.ledger.ranges import range_of
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import CLOCK_TOLERANCE, Attestation, Price, Unit, UnitState

_TOLERANCE: Final = CLOCK_TOLERANCE // datetime.timedelta(microseconds=1)


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
    ATTESTED = 11
    ERROR_DECLARED = 12


_TIMELESS: Final = frozenset(
    {StepKind.COMMISSIONED, StepKind.REVERSED, StepKind.ATTESTED, StepKind.ERROR_DECLARED}
)
"""The kinds whose claimed time says nothing of when the unit moved. A batch has a date of making instead, which the
rules compare with every time. The others tell of earlier steps, and may be written at any time after them."""


class Movement(msgspec.Struct, frozen=True, gc=False):
    """What an event did to a unit.

    ``giver`` and ``receiver`` are "" if there is none. ``terms`` are those on which title was offered or moved
    (TRANSFERRED, SOLD, OFFERED). For RETURNED and REVERSED they are the terms that the event undoes, and their
    receiver is the giver. The terms have only the one range in which the unit moved. ``price_paid`` is the price of
    one unit that a consumer confirmed. ``transfer`` is the transfer that was agreed, attested or reversed, or 0.
    ``position`` is that of the event, and ``declared`` that of the event which it declares an error, or 0.
    """

    kind: StepKind
    position: int
    giver: str = ""
    receiver: str = ""
    terms: Terms | None = None
    price_paid: Price | None = None
    transfer: int = 0
    declared: int = 0


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a unit's past: what it did to the unit, and the state, owner and custodian of the unit after it.

    ``corrected`` marks a step that a reversal or the declaration of an error undid, and that correction.
    ``out_of_order`` is the position of an earlier step that claims a later time, or 0. ``data`` is the event as stored
    and hashed, or empty if its bytes are too many: then ``left_out_bytes`` is their number. ``head`` is the hash of the
    unit's past up to this event. ``note`` is the note of the event, or None if it had none or was erased.
    """

    position: int
    movement: Movement
    corrected: bool
    attestation: Attestation
    occurred_at: int
    recorded_at: int
    out_of_order: int
    state: UnitState
    owner: str
    custodian: str
    data: bytes
    head: bytes
    note: Note | None = None
    left_out_bytes: int = 0


def movement(event: RunEvent, position: int, unit: Unit) -> Movement:
    """Return what the event at a position did to the unit. The event changed the unit's run."""
    match event:
        case events.BatchCommissioned():
            return Movement(StepKind.COMMISSIONED, position, receiver=event.brand)
        case events.TransferOffered():
            return _onward(StepKind.OFFERED, position, event.terms, unit)
        case events.TransferRecorded():
            return _onward(StepKind.TRANSFERRED, position, event.terms, unit, position)
        case events.TransferAccepted():
            # a unit that was offered and is not in the accepted terms is among the discrepancies
            if range_of(event.terms.ranges, unit) is None:
                return Movement(StepKind.RELEASED, position, event.terms.giver, event.terms.receiver)
            return _onward(StepKind.TRANSFERRED, position, event.terms, unit, event.transfer)
        case events.UnitsSold():
            return _onward(StepKind.SOLD, position, event.terms, unit, position)
        case events.TransferReversed():
            return _back(StepKind.REVERSED, position, event.terms, unit, event.transfer)
        case events.UnitsReturned():
            terms = next(line.terms for line in event.lines if range_of(line.terms.ranges, unit))
            return _back(StepKind.RETURNED, position, terms, unit)
        case events.TransferDeclined() | events.TransferWithdrawn() | events.TransferLapsed():
            return Movement(StepKind.RELEASED, position, event.giver, event.receiver)
        case events.UnitsDelivered():
            return Movement(StepKind.DELIVERED, position, event.custodian, event.receiver)
        case events.PurchaseConfirmed():
            return Movement(
                StepKind.CONFIRMED, position, receiver=event.consumer, price_paid=event.price_paid
            )
        case events.UnitsWrittenOff():
            return Movement(StepKind.WRITTEN_OFF, position, event.party)
        case events.TransferAttested():
            return Movement(StepKind.ATTESTED, position, receiver=event.party, transfer=event.transfer)
        case events.ErrorDeclared():
            return Movement(StepKind.ERROR_DECLARED, position, event.party, declared=event.position)
        case _:
            assert_never(event)


def actor_of(event: events.DeclarableEvent) -> str:
    """Return the party or consumer that acted in an event."""
    match event:
        case events.UnitsWrittenOff(party) | events.ReversalAsked(party=party):
            return party
        case events.PurchaseConfirmed(consumer):
            return consumer
        case events.UnitsDelivered(custodian):
            return custodian
        case _:
            assert_never(event)


def undone(movements: Sequence[Movement], custodians: Sequence[str]) -> set[int]:
    """Return the indexes of the steps of a path that its corrections undid. ``custodians`` had the unit after them.

    These are, for each reversal, the transfer that it undoes, the reversal itself, and all steps between them. The
    steps between were built on that transfer and had come to nothing before, such as a sale and its return. But
    deliveries between them stay in force if the goods did not come back to where they were before the transfer. For
    each declaration of an error, they are the declaration and the step that it declares.
    """
    began: dict[int, int] = {}
    places: dict[int, int] = {}
    found: set[int] = set()
    in_force: list[int] = []  # the steps that no reversal has undone yet, without the deliveries
    deliveries: list[int] = []
    for index, item in enumerate(movements):
        places[item.position] = index
        (deliveries if item.kind is StepKind.DELIVERED else in_force).append(index)
        if item.kind in (StepKind.TRANSFERRED, StepKind.SOLD):
            began[item.transfer] = index
        elif item.kind is StepKind.REVERSED:
            first = began[item.transfer]
            found.update(_pop_from(in_force, first))
            if custodians[index] == custodians[first - 1]:  # the goods came back
                found.update(_pop_from(deliveries, first))
        elif item.kind is StepKind.ERROR_DECLARED:
            found.update((places[item.declared], index))
    return found


def _pop_from(places: list[int], first: int) -> Iterator[int]:
    """Remove the places from one on, which are the last ones, and yield them."""
    while places and places[-1] >= first:
        yield places.pop()


def attested(movements: Sequence[Movement]) -> set[int]:
    """Return the transfers of a path that their receivers reported or accepted, too."""
    return {
        item.transfer
        for item in movements
        if item.kind is StepKind.ATTESTED
        or (item.kind is StepKind.TRANSFERRED and item.transfer != item.position)  # an accepted offer
    }


def attestations(movements: Sequence[Movement], signed: Sequence[bool]) -> list[Attestation]:
    """Return who vouches for each step of a path. ``signed`` says of each whether its event rests on a statement.

    The giver signs an offer or the record of a transfer, and the receiver an acceptance or its own report. Extra units
    of an acceptance were in no offer, so the giver did not sign for them. Of a step that is no transfer, the party
    that acted counts as the giver.
    """
    by_both = attested(movements)
    signed_at = {item.position for item, is_signed in zip(movements, signed, strict=True) if is_signed}
    reported = {
        item.transfer for item in movements if item.kind is StepKind.ATTESTED and item.position in signed_at
    }
    found: list[Attestation] = []
    for item in movements:
        if item.kind is not StepKind.TRANSFERRED:
            found.append(attestation_of(by_giver=item.position in signed_at))
            continue
        is_accepted = item.transfer != item.position
        found.append(
            attestation_of(
                by_giver=item.transfer in signed_at,
                by_receiver=item.position in signed_at if is_accepted else item.transfer in reported,
                reported_by_both=item.transfer in by_both,
            )
        )
    return found


def attestation_of(
    *, by_giver: bool = False, by_receiver: bool = False, reported_by_both: bool = False
) -> Attestation:
    """Return the attestation of a hop, by the sides that signed it, and whether both reported or agreed to it."""
    if by_giver and by_receiver:
        return Attestation.SIGNED_BY_BOTH
    if by_giver:
        return Attestation.SIGNED_BY_GIVER
    if by_receiver:
        return Attestation.SIGNED_BY_RECEIVER
    return Attestation.REPORTED_BY_BOTH if reported_by_both else Attestation.RECORDED


def out_of_order(
    movements: Sequence[Movement], times: Sequence[int], corrected: Collection[int]
) -> list[int | None]:
    """Return for each step the index of the step before it that claims a later time, or None if there is none.

    Of several it is the one with the latest time. Times are in microseconds since 1970 UTC. Clocks may differ by
    CLOCK_TOLERANCE. Steps that were corrected, by their indexes, are left out, and so are kinds in _TIMELESS.
    """
    found: list[int | None] = []
    latest: int | None = None
    for index, (item, time) in enumerate(zip(movements, times, strict=True)):
        if item.kind in _TIMELESS or index in corrected:
            found.append(None)
            continue
        found.append(latest if latest is not None and time + _TOLERANCE < times[latest] else None)
        latest = index if latest is None or time >= times[latest] else latest
    return found


def _onward(kind: StepKind, position: int, terms: Terms, unit: Unit, transfer: int = 0) -> Movement:
    return Movement(kind, position, terms.giver, terms.receiver, _narrowed(terms, unit), transfer=transfer)


def _back(kind: StepKind, position: int, terms: Terms, unit: Unit, transfer: int = 0) -> Movement:
    """Return a movement back: the receiver of the terms gives, at the price that was paid."""
    return Movement(kind, position, terms.receiver, terms.giver, _narrowed(terms, unit), transfer=transfer)


def _narrowed(terms: Terms, unit: Unit) -> Terms:
    if len(terms.ranges) == 1:
        return terms
    part = range_of(terms.ranges, unit)
    assert part is not None, (terms, unit)
    return terms.narrowed((part,))
