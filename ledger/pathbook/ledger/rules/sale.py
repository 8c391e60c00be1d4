"""Sales to consumers, confirmations of purchases, and returns."""

from typing import Final

from pathbook.ledger.commands import ConfirmPurchase, ReturnUnits, SellUnits
from pathbook.ledger.events import PurchaseConfirmed, ReturnLine, UnitsReturned, UnitsSold
from pathbook.ledger.ranges import joined
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.authority import authorities_at
from pathbook.ledger.rules.budget import LINES
from pathbook.ledger.rules.parted_cases import refuse_parted_cases
from pathbook.ledger.rules.quantities import Pick
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.text import commitment_of, refuse_price, refuse_text
from pathbook.ledger.rules.transfer import refuse_reference
from pathbook.ledger.rules.units import (
    pieces,
    refuse_before_made,
    refuse_broken_cases,
    refuse_move,
    refuse_unless,
    resolve,
)
from pathbook.ledger.run import Run
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import (
    CONSUMER_PREFIX,
    WRITTEN_OFF,
    Ranges,
    Unit,
    UnitRange,
    UnitState,
    is_consumer,
    is_identifier,
    looks_personal,
)

RETURN_LINE_STEPS: Final = 30
"""How many steps a line of a return counts. It repeats the terms of the transfer by which its units came."""


def sell(state: State, command: SellUnits, moment: int) -> UnitsSold | Refusal:
    """Sell units to a consumer. A sale is never refused because its price is high or low."""
    if state.parties.get(command.seller) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.seller)
    if not is_identifier(command.consumer):
        return refuse(Reason.CONSUMER_MALFORMED, consumer=command.consumer)
    if looks_personal(command.consumer):
        return refuse(Reason.PARTY_LOOKS_PERSONAL, party=command.consumer)
    if (refusal := refuse_price(command.unit_price)) is not None:
        return refusal
    buyer = CONSUMER_PREFIX + command.consumer
    if (refusal := refuse_reference(state, command.seller, buyer, command.reference)) is not None:
        return refusal
    ranges = resolve(state, command.units, Pick(command.seller, onward_at=moment))
    if isinstance(ranges, Refusal):
        return ranges
    if (refusal := refuse_move(state, ranges, command.seller, moment)) is not None:
        return refusal
    terms = Terms(
        giver=command.seller,
        receiver=buyer,
        ranges=ranges,
        unit_price=command.unit_price,
        delivery=command.delivery,
        authorities=authorities_at(state, command.seller, buyer, ranges, moment),
        reference=command.reference,
        chosen_by_book=bool(command.units.quantities),
    )
    return UnitsSold(terms)


def confirm(state: State, command: ConfirmPurchase, moment: int) -> PurchaseConfirmed | Refusal:
    """Confirm a purchase, as the consumer. The price paid may differ from the price that the seller recorded."""
    if not is_identifier(command.consumer):
        return refuse(Reason.CONSUMER_MALFORMED, consumer=command.consumer)
    if (refusal := refuse_price(command.price_paid)) is not None:
        return refusal
    buyer = CONSUMER_PREFIX + command.consumer
    ranges = resolve(state, command.units, Pick(buyer, confirming=True))
    if isinstance(ranges, Refusal):
        return ranges

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if not is_consumer(run.owner):
            return refuse(Reason.UNITS_NOT_SOLD, range=part, owner=run.owner)
        if run.owner != buyer:
            return refuse(Reason.NOT_THE_BUYER, range=part, consumer=command.consumer)
        if run.state is UnitState.CONFIRMED:
            return refuse(Reason.PURCHASE_ALREADY_CONFIRMED, range=part)
        if run.state in WRITTEN_OFF:
            return refuse(Reason.UNITS_WRITTEN_OFF, range=part, state=run.state.name.lower())
        return None

    refusal = refuse_unless(state, ranges, guard) or refuse_before_made(state, ranges, moment)
    return refusal or PurchaseConfirmed(buyer, ranges, command.price_paid)


def give_back(state: State, command: ReturnUnits, moment: int) -> UnitsReturned | Refusal:
    """Return units to the giver they came from, at the price paid. The owner may be a consumer."""
    if not is_consumer(command.owner) and state.parties.get(command.owner) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.owner)
    if (refusal := refuse_text("note", command.note)) is not None:
        return refusal
    ranges = resolve(state, command.units, Pick(command.owner, returning=True))
    if isinstance(ranges, Refusal):
        return ranges

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if run.owner != command.owner:
            return refuse(Reason.UNITS_NOT_OWNED, range=part, owner=run.owner, party=command.owner)
        if run.state in WRITTEN_OFF:
            return refuse(Reason.UNITS_WRITTEN_OFF, range=part, state=run.state.name.lower())
        if run.state is UnitState.OFFERED:
            return refuse(Reason.UNITS_RESERVED, range=part, transfer=run.transfer)
        if run.last_hop is None:
            return refuse(Reason.NOTHING_TO_RETURN, range=part)
        return None

    refusal = (
        refuse_unless(state, ranges, guard)
        or refuse_broken_cases(state, ranges)
        or refuse_parted_cases(state, ranges)
        or refuse_before_made(state, ranges, moment)
    )
    return refusal or UnitsReturned(command.owner, _lines(state, ranges), commitment_of(command))


def _lines(state: State, ranges: Ranges) -> tuple[ReturnLine, ...]:
    """Group the units by the transfer or sale by which they last came."""
    by_transfer: dict[int, list[UnitRange]] = {}
    for part, run in pieces(state, ranges):
        assert run.last_hop is not None, run
        by_transfer.setdefault(run.last_hop.transfer, []).append(part)
    state.budget.spend(RETURN_LINE_STEPS * len(by_transfer), LINES)
    lines = []
    for position, parts in sorted(by_transfer.items()):
        transfer, returned = state.transfers[position], joined(parts)
        assert transfer is not None, position
        assert not isinstance(returned, Unit), returned
        lines.append(ReturnLine(position, transfer.terms.narrowed(returned)))
    return tuple(lines)
