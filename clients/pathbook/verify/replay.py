"""Replay of a unit's path from the raw bytes of its events. Each event must follow from the events before.

The replay uses only the unit, the positions and the bytes, whether a server or a proof file has them.
pathbook.verify.claims compares the result with the other claims of a server.
"""

from collections.abc import Iterable, Sequence
from typing import Final, assert_never

import msgspec

from pathbook.ledger import events, runs
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.events import RecordedEvent, RunEvent, TitleEvent
from pathbook.ledger.hops import chain
from pathbook.ledger.ranges import range_of
from pathbook.ledger.runs import Run, commissioned
from pathbook.ledger.steps import Movement, actor_of, attestation, attested, movement, out_of_order, undone
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import WRITTEN_OFF, Attestation, Unit, UnitState, is_consumer
from pathbook.v1.paths_pb2 import GetPathResponse

MAX_STEPS = 10_000
"""The most steps that are replayed. A unit that changes hands every day has so many after 27 years."""

MAX_LEFT_OUT_BYTES = 128 * 1024 * 1024
"""The most bytes of large events that are read for a path. An event has 64 KB at most, so these are 2,000 at least."""

_HELD: Final = (UnitState.IN_STOCK, UnitState.SOLD, UnitState.CONFIRMED)
"""The states of a unit that an owner is free to have delivered or returned."""


class ContradictionError(Exception):
    """A path contradicts itself. The message names the contradiction, and the position if there is one."""


class NewerPathError(Exception):
    """A path shows something that this program does not know, because it is newer than this program."""


class LongPathError(Exception):
    """A path has more steps, or larger events, than are replayed. It may hold, so it is no contradiction."""


class ReplayedStep(msgspec.Struct, frozen=True):
    """One event of a unit's past, with the run of the unit before and after it.

    ``before`` is None for the event that made the unit. ``movement`` is what the event did to the unit. The rest
    depends on other events of the path. ``corrected`` marks what a correction undid, and the correction.
    ``attestation`` says who vouches for the step. ``out_of_order`` is the position of an earlier step that claims a
    later time, or 0.
    """

    recorded: RecordedEvent
    movement: Movement
    before: Run | None
    after: Run
    corrected: bool = False
    attestation: Attestation = Attestation.RECORDED
    out_of_order: int = 0

    @property
    def event(self) -> RunEvent:
        """The event, which changes runs."""
        assert isinstance(self.recorded.event, RunEvent), self.recorded
        return self.recorded.event

    @property
    def transfer(self) -> int:
        """The transfer or sale by which title moved onward, or 0 if it did not."""
        hop = self.after.last_hop
        is_new = hop is not None and self.before is not None and hop.position == self.before.position
        return hop.transfer if hop is not None and is_new else 0


class _Past:
    """The steps that were replayed, and what is looked up in them: events and declarations by position, and hops.

    ``agreed`` has the terms of each hop by its transfer. ``attested`` are the transfers that both sides reported.
    """

    def __init__(self) -> None:
        self.steps: list[ReplayedStep] = []
        self.events: dict[int, RunEvent] = {}
        self.agreed: dict[int, Terms | None] = {}
        self.attested: set[int] = set()
        self.declared: set[int] = set()

    def add(self, step: ReplayedStep) -> None:
        """Add the next step."""
        self.steps.append(step)
        self.events[step.recorded.position] = event = step.event
        self.agreed[step.transfer] = terms_of(event)
        self.attested |= attested([step.movement])
        if isinstance(event, events.ErrorDeclared):
            self.declared.add(event.position)


def replay(path: GetPathResponse) -> tuple[ReplayedStep, ...]:
    """Return the steps of a path that a server returned, oldest first, at least one. It must have its corrections.

    Raises:
        ContradictionError: an event is malformed, or does not follow from the events before.
        LongPathError: the path has more than MAX_STEPS steps, or lacks events because of their size.
        NewerPathError: an event is newer than this program, and none before it contradicts.
    """
    if not path.steps:
        raise ContradictionError("the server showed no event of this unit, not even its commissioning")
    if len(path.steps) > MAX_STEPS or path.next_page_token:
        raise LongPathError(f"the path has more than {MAX_STEPS} steps; at most so many are replayed")
    if left_out := left_out_bytes(path):
        raise LongPathError(f"{left_out} bytes of its events were not read; at most {MAX_LEFT_OUT_BYTES} are")
    unit = Unit(path.unit.batch, path.unit.number)
    return replay_events(unit, ((shown.position, shown.event) for shown in path.steps))


def replay_events(unit: Unit, stored: Iterable[tuple[int, bytes]]) -> tuple[ReplayedStep, ...]:
    """Return the steps of a unit's past, of which each event is given by its position and its stored bytes.

    Raises:
        ContradictionError: an event is malformed, or does not follow from the events before.
        NewerPathError: an event is newer than this program, and none before it contradicts.
    """
    past = _Past()
    for position, data in stored:
        past.add(_next(past, position, data, unit))
    return _marked(past.steps)


def left_out_bytes(path: GetPathResponse) -> int:
    """Return how many bytes the events have that a path lacks. They must be read before it can be replayed."""
    return sum(step.left_out_bytes for step in path.steps)


def terms_of(event: RunEvent) -> Terms | None:
    """Return the terms on which an event moved title onward, or None if it moved no title."""
    return event.terms if isinstance(event, TitleEvent) else None


def _marked(steps: Sequence[ReplayedStep]) -> tuple[ReplayedStep, ...]:
    """Return the steps with what is known of each only when all of them were replayed."""
    movements = [step.movement for step in steps]
    corrected = undone(movements, [step.after.custodian for step in steps])
    by_both = attested(movements)
    disorder = out_of_order(movements, [step.recorded.occurred_at for step in steps], corrected)
    return tuple(
        msgspec.structs.replace(
            step,
            corrected=index in corrected,
            attestation=attestation(step.movement, by_both),
            out_of_order=0 if (other := disorder[index]) is None else steps[other].recorded.position,
        )
        for index, step in enumerate(steps)
    )


def _next(past: _Past, position: int, data: bytes, unit: Unit) -> ReplayedStep:
    """Decode the next event, check that it follows from those before, and apply it to the unit's run."""
    where, steps = f"position {position}", past.steps
    if position < 1:
        raise ContradictionError(f"{where} does not exist, because positions begin at 1")
    try:
        recorded = decode(position, data)
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
    before = steps[-1].after if steps else None
    if isinstance(event, events.BatchCommissioned):
        if event.batch != unit.batch or unit.number >= event.size:
            raise ContradictionError(
                f"{where} made batch {event.batch}, of {event.size} units, without this unit"
            )
        after = commissioned(event, recorded.position, recorded.leaf).runs[0]
    else:
        assert before is not None, where
        if problem := _problem(event, before, past, unit):
            raise ContradictionError(f"{where}: {problem}")
        changed = runs.after(before, recorded, unit)
        if changed is None:
            raise ContradictionError(f"{where} does not concern this unit, or concerns it twice")
        after = changed
    return ReplayedStep(recorded, movement(event, recorded.position, unit), before, after)


def _problem(event: RunEvent, before: Run, past: _Past, unit: Unit) -> str:
    """Return why an event cannot follow the run before it, or an empty text if it can."""
    match event:
        case events.TransferOffered(terms) | events.TransferRecorded(terms):
            return (
                _wrong_giver(terms.giver, before)
                or _wrong_state(before, UnitState.IN_STOCK)
                or _wrong_receiver(terms.receiver, consumer=False)
            )
        case events.UnitsSold(terms):
            return (
                _wrong_giver(terms.giver, before)
                or _wrong_state(before, UnitState.IN_STOCK)
                or _wrong_receiver(terms.receiver, consumer=True)
            )
        case events.TransferAccepted():
            return _wrong_acceptance(event, before, past, unit)
        case (
            events.TransferDeclined(transfer, giver, receiver)
            | events.TransferWithdrawn(transfer, giver, receiver)
            | events.TransferLapsed(transfer, giver, receiver)
        ):
            return (
                _wrong_giver(giver, before)
                or _wrong_offer(transfer, before)
                or _wrong_answer(transfer, receiver, past)
            )
        case events.UnitsDelivered(custodian, receiver):
            return _wrong_custodian(custodian, before) or _wrong_delivery(receiver, before)
        case events.PurchaseConfirmed(consumer):
            return _wrong_giver(consumer, before) or _wrong_state(before, UnitState.SOLD)
        case events.TransferReversed(transfer, terms, party):
            return (
                _wrong_state(before, UnitState.IN_STOCK)
                or _wrong_undoing(transfer, terms, before, past)
                or (
                    ""
                    if party in (terms.giver, terms.receiver)
                    else f"{party} is no side of what it reverses"
                )
            )
        case events.UnitsReturned(owner, lines):
            line = next((line for line in lines if range_of(line.terms.ranges, unit)), None)
            if line is None:
                return ""
            return (
                _wrong_giver(owner, before)
                or _wrong_state(before, *_HELD)
                or _wrong_undoing(line.transfer, line.terms, before, past)
            )
        case events.BatchCommissioned():
            return "its batch was already commissioned"
        case events.UnitsWrittenOff(party):
            allowed = (UnitState.SOLD, UnitState.CONFIRMED) if is_consumer(party) else ()
            return (
                _wrong_custodian(party, before)
                or _wrong_state(before, UnitState.IN_STOCK, *allowed)
                or _wrong_write_off(event, before, unit)
            )
        case events.TransferAttested(transfer):
            return _wrong_attestation(transfer, event.party, past)
        case events.ErrorDeclared():
            return _wrong_declaration(event, before, past)
        case _:
            assert_never(event)


def _wrong_giver(giver: str, before: Run) -> str:
    return "" if giver == before.owner else f"{giver} gave a unit that belonged to {before.owner}"


def _wrong_receiver(receiver: str, *, consumer: bool) -> str:
    if is_consumer(receiver) is consumer:
        return ""
    return f"{receiver} is {'no' if consumer else 'a'} consumer, and only consumers buy"


def _wrong_custodian(party: str, before: Run) -> str:
    return "" if party == before.custodian else f"{before.custodian} had the unit, not {party}"


def _wrong_state(before: Run, *allowed: UnitState) -> str:
    state = before.state.name.lower().replace("_", " ")
    return "" if before.state in allowed else f"the unit was {state} at that time"


def _wrong_delivery(receiver: str, before: Run) -> str:
    """Return why goods cannot be delivered to a receiver. A consumer receives only what it bought."""
    if is_consumer(receiver) and receiver != before.owner:
        return f"{receiver} received a unit that belonged to {before.owner}"
    return _wrong_state(before, *_HELD)


def _wrong_write_off(event: events.UnitsWrittenOff, before: Run, unit: Unit) -> str:
    """Return whether a write-off states another state of the unit before it. An error is undone by that statement."""
    if event.state not in WRITTEN_OFF:
        return "it writes a unit off that goes on being held"
    stated = range_of(event.confirmed, unit) is not None
    if stated is not (before.state is UnitState.CONFIRMED):
        return f"it says that the purchase of the unit was {'' if stated else 'not '}confirmed"
    return ""


def _wrong_offer(transfer: int, before: Run) -> str:
    open_offer = before.transfer if before.state is UnitState.OFFERED else 0
    return "" if transfer == open_offer else f"it answers an offer at position {transfer} that was not open"


def _wrong_answer(transfer: int, receiver: str, past: _Past) -> str:
    """Return why the offer that an event ends was not made to the receiver that the event names."""
    offer = past.events.get(transfer)
    if not isinstance(offer, events.TransferOffered) or offer.terms.receiver != receiver:
        return f"it ends an offer to {receiver}, which the offer at position {transfer} was not"
    return ""


def _wrong_acceptance(event: events.TransferAccepted, before: Run, past: _Past, unit: Unit) -> str:
    """Return why a unit cannot be accepted, as a unit that was offered or as an extra unit that was not."""
    transfer, terms = event.transfer, event.terms
    if (problem := _wrong_giver(terms.giver, before)) or range_of(event.extra, unit) is None:
        return problem or _wrong_offer(transfer, before) or _other_terms(transfer, terms, past)
    if problem := _wrong_state(before, UnitState.IN_STOCK) or _wrong_receiver(terms.receiver, consumer=False):
        return problem
    if range_of(terms.ranges, unit) is None:
        return "it calls the unit extra, but does not accept it"
    if transfer in past.events or any(hop.transfer == transfer for hop in chain(before.last_hop)):
        return f"it calls the unit extra, but the unit was in the transfer at position {transfer} before"
    return ""


def _other_terms(transfer: int, terms: Terms, past: _Past) -> str:
    """Return what an acceptance changed about the offer. It may only narrow the offer to fewer units."""
    offer = past.events.get(transfer)
    if not isinstance(offer, events.TransferOffered) or offer.terms.receiver != terms.receiver:
        return f"{terms.receiver} accepted a unit that was not offered to it"
    offered = offer.terms
    if (offered.unit_price, offered.delivery, offered.reference, offered.chosen_by_book) != (
        terms.unit_price,
        terms.delivery,
        terms.reference,
        terms.chosen_by_book,
    ):
        return f"it was accepted on other terms than offered at position {transfer}"
    return ""


def _wrong_undoing(transfer: int, terms: Terms, before: Run, past: _Past) -> str:
    """Return why a return or reversal does not undo the transfer by which the unit last came."""
    agreed = past.agreed.get(transfer)
    if agreed is None or before.last_hop is None or before.last_hop.transfer != transfer:
        return f"it undoes the transfer at position {transfer}, which is not the last one of the unit"
    if (agreed.giver, agreed.receiver, agreed.unit_price) != (terms.giver, terms.receiver, terms.unit_price):
        return f"it undoes the transfer at position {transfer} on other terms"
    return ""


def _wrong_attestation(transfer: int, party: str, past: _Past) -> str:
    """Return why a party cannot attest a transfer of the unit, or why it has done so before."""
    agreed = past.agreed.get(transfer)
    if agreed is None or agreed.receiver != party or is_consumer(party):
        return f"{party} attests the transfer at position {transfer}, by which it did not receive the unit"
    if transfer in past.attested:
        return f"{party} has attested the transfer at position {transfer} before"
    return ""


def _wrong_declaration(event: events.ErrorDeclared, before: Run, past: _Past) -> str:
    """Return why an earlier event cannot be declared an error.

    The declaration repeats it word for word. The party that had acted declares it, once, until something was built
    upon it.
    """
    position, declared = event.position, event.declared
    if past.events.get(position) != declared:
        return f"it declares another event an error than the one at position {position}"
    if event.party != (actor := actor_of(declared)):
        return f"{event.party} declares an error at position {position}, where {actor} acted"
    if position in past.declared:
        return f"position {position} was declared an error before"
    return (
        f"something was built upon position {position}" if _is_built_upon(position, declared, before) else ""
    )


def _is_built_upon(position: int, declared: events.DeclarableEvent, before: Run) -> bool:
    """Tell whether what an event did to the unit was changed again since."""
    match declared:
        case events.UnitsWrittenOff(state=state):
            return before.state is not state
        case events.PurchaseConfirmed(consumer):
            same_sale = before.last_hop is not None and before.last_hop.transfer < position
            return before.state is not UnitState.CONFIRMED or before.owner != consumer or not same_sale
        case events.UnitsDelivered():
            return before.position != position
        case events.ReversalAsked():
            return False  # it is no step of a unit, so the replay has found another event at its position
        case _:
            assert_never(declared)
