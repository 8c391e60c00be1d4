"""Replay of a unit's path from the raw bytes of its events. Each event must follow from the events before.

The replay uses only the unit, the positions and the bytes. pathbook.verify.claims compares the result with the other
claims of the server.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from pathbook.ledger import events, runs
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.events import RecordedEvent, RunEvent, Terms, TitleEvent
from pathbook.ledger.ranges import range_of
from pathbook.ledger.runs import Partition, Run
from pathbook.ledger.steps import Movement, movement
from pathbook.ledger.values import Unit, UnitState, is_consumer
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep

MAX_STEPS = 10_000
"""The most steps that are replayed. A unit that changes hands every day has so many after 27 years."""


class ContradictionError(Exception):
    """A path contradicts itself. The message names the contradiction, and the position if there is one."""


class NewerPathError(Exception):
    """A path shows something that this program does not know, because it is newer than this program."""


class ReplayedStep(msgspec.Struct, frozen=True):
    """One event of a unit's past, with the run of the unit before and after it.

    ``before`` is None for the event that made the unit. ``movement`` is what the event did to the unit.
    """

    recorded: RecordedEvent
    movement: Movement
    before: Run | None
    after: Run

    @property
    def event(self) -> RunEvent:
        """The event, which changes runs."""
        assert isinstance(self.recorded.event, RunEvent), self.recorded
        return self.recorded.event

    @property
    def transfer(self) -> int:
        """The transfer or sale by which title moved onward, or 0 if it did not."""
        onward = self.before is not None and len(self.after.chain) > len(self.before.chain)
        return self.after.chain[-1] if onward else 0


def replay(path: GetPathResponse) -> tuple[ReplayedStep, ...]:
    """Return the steps of a path, oldest first, at least one. The path must have its corrections.

    Raises:
        ContradictionError: an event is malformed, or does not follow from the events before.
        NewerPathError: an event is newer than this program, and none before it contradicts.
    """
    if not path.steps:
        raise ContradictionError("the server showed no event of this unit, not even its commissioning")
    if len(path.steps) > MAX_STEPS:
        raise ContradictionError(f"the path has {len(path.steps)} steps; at most {MAX_STEPS} are replayed")
    unit = Unit(path.unit.batch, path.unit.number)
    partitions: dict[int, Partition] = {}
    steps: list[ReplayedStep] = []
    for shown in path.steps:
        steps.append(_next(partitions, steps, shown, unit))
    return tuple(steps)


def terms_of(event: RunEvent) -> Terms | None:
    """Return the terms on which an event moved title onward, or None if it moved no title."""
    return event.terms if isinstance(event, TitleEvent) else None


def _next(
    partitions: dict[int, Partition], steps: Sequence[ReplayedStep], shown: PathStep, unit: Unit
) -> ReplayedStep:
    """Decode the next event, check that it follows from those before, and apply it to the unit's batch."""
    where = f"position {shown.position}"
    if shown.position < 1:
        raise ContradictionError(f"{where} does not exist, because positions begin at 1")
    try:
        recorded = decode(shown.position, shown.event)
    except MalformedEventError as error:
        raise ContradictionError(str(error)) from error
    except NewerEventError as error:
        raise NewerPathError(str(error)) from error
    if steps and recorded.position <= steps[-1].recorded.position:
        last = steps[-1].recorded.position
        raise ContradictionError(f"{where} is listed after position {last}, but positions must increase")
    if steps and recorded.recorded_at < steps[-1].recorded.recorded_at:
        raise ContradictionError(f"{where} was recorded earlier than the step before it")
    event = recorded.event
    if not isinstance(event, RunEvent):
        raise ContradictionError(f"{where} does not concern this unit")
    if isinstance(event, events.BatchCommissioned) is bool(steps):
        raise ContradictionError(
            f"{where}: the commissioning of the batch must be the first step, and only that"
        )
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
    """Return why an event cannot follow the run before it, or an empty text if it can."""
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
            return _wrong_custodian(custodian, before)
        case events.PurchaseConfirmed(consumer):
            return _wrong_giver(consumer, before) or _wrong_state(before, UnitState.SOLD)
        case events.TransferReversed(transfer, terms):
            return _wrong_undoing(transfer, terms, before, steps)
        case events.UnitsReturned(lines=lines):
            line = next((line for line in lines if range_of(line.terms.ranges, unit)), None)
            return _wrong_undoing(line.transfer, line.terms, before, steps) if line else ""
        case events.BatchCommissioned():
            return "its batch was already commissioned"
        case events.UnitsWrittenOff(party):
            allowed = (UnitState.SOLD, UnitState.CONFIRMED) if is_consumer(party) else ()
            return _wrong_custodian(party, before) or _wrong_state(before, UnitState.IN_STOCK, *allowed)
        case _:
            assert_never(event)


def _wrong_giver(giver: str, before: Run) -> str:
    return "" if giver == before.owner else f"{giver} gave a unit that belonged to {before.owner}"


def _wrong_custodian(party: str, before: Run) -> str:
    return "" if party == before.custodian else f"{before.custodian} had the unit, not {party}"


def _wrong_state(before: Run, *allowed: UnitState) -> str:
    state = before.state.name.lower().replace("_", " ")
    return "" if before.state in allowed else f"the unit was {state} at that time"


def _wrong_offer(transfer: int, before: Run) -> str:
    open_offer = before.transfer if before.state is UnitState.OFFERED else 0
    return "" if transfer == open_offer else f"it answers an offer at position {transfer} that was not open"


def _other_terms(transfer: int, terms: Terms, steps: Sequence[ReplayedStep]) -> str:
    """Return what an acceptance changed about the offer. It may only narrow the offer to fewer units."""
    offer = next((step.event for step in steps if step.recorded.position == transfer), None)
    if not isinstance(offer, events.TransferOffered) or offer.terms.receiver != terms.receiver:
        return f"{terms.receiver} accepted a unit that was not offered to it"
    if offer.terms.unit_price != terms.unit_price or offer.terms.delivery != terms.delivery:
        return f"it was accepted on other terms than offered at position {transfer}"
    return ""


def _wrong_undoing(transfer: int, terms: Terms, before: Run, steps: Sequence[ReplayedStep]) -> str:
    """Return why a return or reversal does not undo the transfer by which the unit last came."""
    agreed = next((terms_of(step.event) for step in reversed(steps) if step.transfer == transfer), None)
    if agreed is None or before.chain[-1:] != (transfer,):
        return f"it undoes the transfer at position {transfer}, which is not the last one of the unit"
    if (agreed.giver, agreed.receiver, agreed.unit_price) != (terms.giver, terms.receiver, terms.unit_price):
        return f"it undoes the transfer at position {transfer} on other terms"
    return ""
