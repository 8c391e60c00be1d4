"""What may follow: why an event cannot have happened to a unit, by the unit's run before it and by earlier events.

A path shows one unit (pathbook.verify.replay), a whole book all of them (pathbook.audit). The rules are the same.
"""

from typing import Final, Protocol, assert_never

from pathbook.ledger import events
from pathbook.ledger.events import RunEvent
from pathbook.ledger.hops import chain
from pathbook.ledger.ranges import count_units, range_of
from pathbook.ledger.run import Run
from pathbook.ledger.steps import actor_of
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import WRITTEN_OFF, Unit, UnitState, is_consumer

_HELD: Final = (UnitState.IN_STOCK, UnitState.SOLD, UnitState.CONFIRMED)
"""The states of a unit that an owner is free to have delivered or returned."""


class Past(Protocol):
    """The events before, as far as the rules ask for them. Transfers and events are named by their positions."""

    def offered(self, transfer: int) -> Terms | None:
        """Return the terms of an offer, or None if there is no such offer."""

    def was_in(self, transfer: int, unit: Unit) -> bool:
        """Tell whether a unit was among those of an offer or a transfer."""

    def agreed(self, transfer: int) -> Terms | None:
        """Return the terms on which title moved by a transfer or sale, or None if it did not."""

    def is_attested(self, transfer: int) -> bool:
        """Tell whether the receiver accepted or reported a transfer."""

    def event(self, position: int) -> RunEvent | None:
        """Return an event that may be declared an error, or None if there is none."""

    def is_declared(self, position: int) -> bool:
        """Tell whether an event was declared an error."""


def problem(event: RunEvent, before: Run, past: Past, unit: Unit) -> str:
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


def is_claimed(event: RunEvent) -> bool:
    """Tell whether a receiver took more extra units than the giver allowed. Books record that no more, but once did.

    So it is no contradiction, and a reader says whose word it is that the giver gave them.
    """
    return isinstance(event, events.TransferAccepted) and count_units(event.extra) > event.terms.extra_allowed


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


def _wrong_answer(transfer: int, receiver: str, past: Past) -> str:
    """Return why the offer that an event ends was not made to the receiver that the event names."""
    offered = past.offered(transfer)
    if offered is None or offered.receiver != receiver:
        return f"it ends an offer to {receiver}, which the offer at position {transfer} was not"
    return ""


def _wrong_acceptance(event: events.TransferAccepted, before: Run, past: Past, unit: Unit) -> str:
    """Return why a unit cannot be accepted, as a unit that was offered or as an extra unit that was not."""
    transfer, terms = event.transfer, event.terms
    if (problem := _wrong_giver(terms.giver, before)) or range_of(event.extra, unit) is None:
        return problem or _wrong_offer(transfer, before) or _other_terms(transfer, terms, past)
    if problem := _wrong_state(before, UnitState.IN_STOCK) or _wrong_receiver(terms.receiver, consumer=False):
        return problem
    if range_of(terms.ranges, unit) is None:
        return "it calls the unit extra, but does not accept it"
    if past.was_in(transfer, unit) or any(hop.transfer == transfer for hop in chain(before.last_hop)):
        return f"it calls the unit extra, but the unit was in the transfer at position {transfer} before"
    return ""


def _other_terms(transfer: int, terms: Terms, past: Past) -> str:
    """Return what an acceptance changed about the offer. It may only narrow the offer to fewer units."""
    offered = past.offered(transfer)
    if offered is None or offered.receiver != terms.receiver:
        return f"{terms.receiver} accepted a unit that was not offered to it"
    if _agreed(offered) != _agreed(terms):
        return f"it was accepted on other terms than offered at position {transfer}"
    return ""


def _agreed(terms: Terms) -> tuple[object, ...]:
    """Return what an acceptance leaves as it was offered."""
    return terms.unit_price, terms.delivery, terms.reference, terms.chosen_by_book, terms.extra_allowed


def _wrong_undoing(transfer: int, terms: Terms, before: Run, past: Past) -> str:
    """Return why a return or reversal does not undo the transfer by which the unit last came."""
    agreed = past.agreed(transfer)
    if agreed is None or before.last_hop is None or before.last_hop.transfer != transfer:
        return f"it undoes the transfer at position {transfer}, which is not the last one of the unit"
    if (agreed.giver, agreed.receiver, agreed.unit_price) != (terms.giver, terms.receiver, terms.unit_price):
        return f"it undoes the transfer at position {transfer} on other terms"
    return ""


def _wrong_attestation(transfer: int, party: str, past: Past) -> str:
    """Return why a party cannot attest a transfer of the unit, or why it has done so before."""
    agreed = past.agreed(transfer)
    if agreed is None or agreed.receiver != party or is_consumer(party):
        return f"{party} attests the transfer at position {transfer}, by which it did not receive the unit"
    if past.is_attested(transfer):
        return f"{party} has attested the transfer at position {transfer} before"
    return ""


def _wrong_declaration(event: events.ErrorDeclared, before: Run, past: Past) -> str:
    """Return why an earlier event cannot be declared an error.

    The declaration repeats it word for word. The party that had acted declares it, once, until something was built
    upon it.
    """
    position, declared = event.position, event.declared
    if past.event(position) != declared:
        return f"it declares another event an error than the one at position {position}"
    if event.party != (actor := actor_of(declared)):
        return f"{event.party} declares an error at position {position}, where {actor} acted"
    if past.is_declared(position):
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
