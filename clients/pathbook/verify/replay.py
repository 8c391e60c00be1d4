"""Replaying a unit's path from the raw bytes of its events: each has to follow from those before.

Nothing else that the server says is looked at here; pathbook.verify.claims holds it against what comes out.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from pathbook.ledger import events, runs
from pathbook.ledger.codec import MalformedEventError, decode
from pathbook.ledger.events import RecordedEvent, RunEvent, Terms, TitleEvent
from pathbook.ledger.ranges import range_of
from pathbook.ledger.runs import Partition, Run
from pathbook.ledger.steps import Movement, movement
from pathbook.ledger.values import Unit, UnitState, is_consumer
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep

MAX_STEPS = 10_000
"""The most steps replayed: a unit that changed hands daily would need 27 years to come to so many."""


class ContradictionError(Exception):
    """The path contradicts itself; the message names the position and says how."""


class ReplayedStep(msgspec.Struct, frozen=True):
    """One event of a unit's past, and the run the unit was in before it (None: not made yet) and after it.

    ``movement`` is what the event was to the unit.
    """

    recorded: RecordedEvent
    movement: Movement
    before: Run | None
    after: Run

    @property
    def event(self) -> RunEvent:
        """What happened."""
        assert isinstance(self.recorded.event, RunEvent), self.recorded
        return self.recorded.event

    @property
    def transfer(self) -> int:
        """The transfer or sale by which title moved here, 0 where it did not move onward."""
        onward = self.before is not None and len(self.after.chain) > len(self.before.chain)
        return self.after.chain[-1] if onward else 0


def replay(path: GetPathResponse) -> tuple[ReplayedStep, ...]:
    """Return the steps of a path asked for with its corrections, oldest first, at least one.

    Raises:
        ContradictionError: bytes are no event, or an event does not follow from those before.
    """
    if not path.steps:
        raise ContradictionError("the server showed no event of this unit, not even its making")
    if len(path.steps) > MAX_STEPS:
        raise ContradictionError(f"the path has {len(path.steps)} steps; at most {MAX_STEPS} are replayed")
    unit = Unit(path.unit.batch, path.unit.number)
    partitions: dict[int, Partition] = {}
    steps: list[ReplayedStep] = []
    for said in path.steps:
        steps.append(_next(partitions, steps, said, unit))
    return tuple(steps)


def terms_of(event: RunEvent) -> Terms | None:
    """Return the terms on which an event moved title onward, None for one that moved none."""
    return event.terms if isinstance(event, TitleEvent) else None


def _next(
    partitions: dict[int, Partition], steps: Sequence[ReplayedStep], said: PathStep, unit: Unit
) -> ReplayedStep:
    """Decode the next event, see that it follows from those before, and fold it over the unit's batch."""
    where = f"position {said.position}"
    try:
        recorded = decode(said.position, said.event)
    except MalformedEventError as error:
        raise ContradictionError(str(error)) from error
    if steps and recorded.position <= steps[-1].recorded.position:
        raise ContradictionError(f"{where} comes after position {steps[-1].recorded.position}")
    if steps and recorded.recorded_at < steps[-1].recorded.recorded_at:
        raise ContradictionError(f"{where} was recorded before the step before it")
    event = recorded.event
    if not isinstance(event, RunEvent):
        raise ContradictionError(f"{where} does not concern this unit")
    if isinstance(event, events.BatchCommissioned) is bool(steps):
        raise ContradictionError(f"{where}: a path begins with the making of its batch, and only there")
    if isinstance(event, events.BatchCommissioned) and (
        event.batch != unit.batch or unit.number >= event.size
    ):
        raise ContradictionError(
            f"{where} made batch {event.batch}, of {event.size} units, without this unit"
        )
    before = steps[-1].after if steps else None
    if before is not None and (problem := _problem(event, before, steps, unit)):
        raise ContradictionError(f"{where}: {problem}")
    runs.apply(partitions, recorded)
    (after,) = partitions[unit.batch].overlapping(unit.number, unit.number)
    if after.position != recorded.position:
        raise ContradictionError(f"{where} does not concern this unit")
    return ReplayedStep(recorded, movement(event, recorded.position, unit), before, after)


def _problem(event: RunEvent, before: Run, steps: Sequence[ReplayedStep], unit: Unit) -> str:
    """Say why an event cannot follow on the run before it; an empty text where it can."""
    match event:
        case events.TransferOffered(terms) | events.TransferRecorded(terms) | events.UnitsSold(terms):
            return _wrong_giver(terms.giver, before) or _wrong_state(before, UnitState.IN_STOCK)
        case events.TransferAccepted(transfer, terms):
            return (
                _wrong_giver(terms.giver, before)
                or _wrong_offer(transfer, before)
                or _other_terms(transfer, terms, steps)
            )
        case (
            events.TransferDeclined(transfer, giver)
            | events.TransferWithdrawn(transfer, giver)
            | events.TransferLapsed(transfer, giver)
        ):
            return _wrong_giver(giver, before) or _wrong_offer(transfer, before)
        case events.UnitsDelivered(custodian):
            return _wrong_hands(custodian, before)
        case events.PurchaseConfirmed(consumer):
            return _wrong_giver(consumer, before) or _wrong_state(before, UnitState.SOLD)
        case events.TransferReversed(transfer, terms):
            return _wrong_way_back(transfer, terms, before, steps)
        case events.UnitsReturned(lines=lines):
            line = next((line for line in lines if range_of(line.terms.ranges, unit)), None)
            return _wrong_way_back(line.transfer, line.terms, before, steps) if line else ""
        case events.BatchCommissioned():
            return "its batch was made before"
        case events.UnitsWrittenOff(party):
            allowed = (UnitState.SOLD, UnitState.CONFIRMED) if is_consumer(party) else ()
            return _wrong_hands(party, before) or _wrong_state(before, UnitState.IN_STOCK, *allowed)
        case _:
            assert_never(event)


def _wrong_giver(giver: str, before: Run) -> str:
    return "" if giver == before.owner else f"{giver} gave what belonged to {before.owner}"


def _wrong_hands(party: str, before: Run) -> str:
    return "" if party == before.custodian else f"it lay with {before.custodian}, not with {party}"


def _wrong_state(before: Run, *allowed: UnitState) -> str:
    return "" if before.state in allowed else f"it was {before.state.name.lower()} by then"


def _wrong_offer(transfer: int, before: Run) -> str:
    open_offer = before.transfer if before.state is UnitState.OFFERED else 0
    return "" if transfer == open_offer else f"it answers an offer at position {transfer} that was not open"


def _other_terms(transfer: int, terms: Terms, steps: Sequence[ReplayedStep]) -> str:
    """Say what an acceptance changed about the offer, which it may only narrow to fewer units."""
    offer = next((step.event for step in steps if step.recorded.position == transfer), None)
    if not isinstance(offer, events.TransferOffered) or offer.terms.receiver != terms.receiver:
        return f"{terms.receiver} accepted what was not offered to it"
    if offer.terms.unit_price != terms.unit_price or offer.terms.delivery != terms.delivery:
        return f"it was accepted on other terms than offered at position {transfer}"
    return ""


def _wrong_way_back(transfer: int, terms: Terms, before: Run, steps: Sequence[ReplayedStep]) -> str:
    """Say why a return or reversal does not undo the transfer by which the unit came last."""
    came = next((terms_of(step.event) for step in reversed(steps) if step.transfer == transfer), None)
    if came is None or before.chain[-1:] != (transfer,):
        return f"it undoes the transfer at position {transfer}, by which the unit did not come last"
    if (came.giver, came.receiver, came.unit_price) != (terms.giver, terms.receiver, terms.unit_price):
        return f"it undoes the transfer at position {transfer} on other terms"
    return ""
