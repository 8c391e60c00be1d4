"""What of a book has to be at hand before a command can be decided.

``missing`` is asked again after each load, because what comes to hand may lead to more: a transfer to its units,
units to the cases they are packed in, a case to its contents.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from pathbook.ledger.commands import (
    AcceptTransfer,
    AuthorizeParty,
    Command,
    CommissionBatch,
    ConfirmPurchase,
    DeclineTransfer,
    DeliverUnits,
    LapseTransfer,
    LiftRecall,
    OfferTransfer,
    PackCase,
    RecallUnits,
    RecordTransfer,
    RegisterParty,
    RegisterProduct,
    ReturnUnits,
    ReverseTransfer,
    RevokeAuthorization,
    SellUnits,
    UnpackCase,
    WithdrawTransfer,
    WriteOffUnits,
)
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.state import State, packed_in
from pathbook.ledger.rules.units import Pick, pieces, resolve
from pathbook.ledger.values import (
    CONSUMER_PREFIX,
    MAX_RANGES,
    Selection,
    UnitRange,
    gtin14,
    is_identifier,
    is_lot,
    is_owner,
    is_sscc,
)


class Needs(msgspec.Struct):
    """What is named and not at hand.

    ``holdings`` are (party, GTIN): the batches in which a party may own units. ``walked`` are the cases looked at.
    """

    parties: set[str] = msgspec.field(default_factory=set)
    products: set[str] = msgspec.field(default_factory=set)
    lots: set[tuple[str, str]] = msgspec.field(default_factory=set)
    batches: set[int] = msgspec.field(default_factory=set)
    transfers: set[int] = msgspec.field(default_factory=set)
    cases: set[str] = msgspec.field(default_factory=set)
    recalls: set[int] = msgspec.field(default_factory=set)
    authorizations: set[int] = msgspec.field(default_factory=set)
    holdings: set[tuple[str, str]] = msgspec.field(default_factory=set)
    walked: set[str] = msgspec.field(default_factory=set)

    def __bool__(self) -> bool:
        """Tell whether anything is needed."""
        return any(msgspec.structs.astuple(self)[:-1])


def missing(state: State, commands: Iterable[Command]) -> Needs:
    """Return what has to be loaded next to decide commands; nothing, once all is at hand."""
    needs = Needs()
    for command in commands:
        _add(state, needs, command)
    return needs


def _add(state: State, needs: Needs, command: Command) -> None:
    match command:  # what fills most books comes first, for a match tries its cases in turn
        case (
            RecordTransfer(giver=giver, receiver=receiver, units=units)
            | OfferTransfer(giver=giver, receiver=receiver, units=units)
        ):
            _parties(state, needs, giver, receiver)
            _uplines(state, needs, giver, receiver)
            _units(state, needs, units, giver)
        case SellUnits(seller=party, units=units):
            _parties(state, needs, party)
            _uplines(state, needs, party)
            _units(state, needs, units, party)
        case ReturnUnits(owner=owner, units=units):
            _parties(state, needs, owner)
            _units(state, needs, units, owner)
            _ways(state, needs, units, owner)
        case RegisterParty(party=party):
            _parties(state, needs, party)
        case AuthorizeParty(upline=upline, party=party, products=products):
            _parties(state, needs, upline, party)
            _uplines(state, needs, upline)
            for product in products:
                _product(state, needs, product)
        case RevokeAuthorization(authorization=authorization):
            _authorization(state, needs, authorization)
        case RegisterProduct(brand=brand, product=product):
            _parties(state, needs, brand)
            _product(state, needs, product)
        case CommissionBatch(brand=brand, product=product, lot=lot):
            _parties(state, needs, brand)
            gtin = _product(state, needs, product)
            if gtin and is_lot(lot) and (gtin, lot) not in state.lots:
                needs.lots.add((gtin, lot))
        case DeliverUnits(custodian=giver, receiver=receiver, units=units):
            _parties(state, needs, giver, receiver)
            _units(state, needs, units, receiver)
        case WriteOffUnits(party=party, units=units) | PackCase(party=party, units=units):
            _parties(state, needs, party)
            _units(state, needs, units, party)
            if isinstance(command, PackCase):
                _case(state, needs, command.sscc)
        case ConfirmPurchase(consumer=consumer, units=units):
            _units(state, needs, units, CONSUMER_PREFIX + consumer)
        case AcceptTransfer(transfer=transfer) | ReverseTransfer(transfer=transfer):
            _transfer(state, needs, transfer)
        case (
            DeclineTransfer(transfer=transfer)
            | WithdrawTransfer(transfer=transfer)
            | LapseTransfer(transfer=transfer)
        ):
            if transfer not in state.transfers:
                needs.transfers.add(transfer)
        case UnpackCase(party=party, sscc=sscc):
            _parties(state, needs, party)
            _case(state, needs, sscc)
        case RecallUnits(brand=brand, batch=batch):
            _parties(state, needs, brand)
            _batches(state, needs, [batch])
        case LiftRecall(brand=brand, recall=recall):
            _parties(state, needs, brand)
            if recall not in state.recalls:
                needs.recalls.add(recall)
            elif (recalled := state.recalls[recall]) is not None:
                _batches(state, needs, [recalled])
        case _:
            assert_never(command)


def _parties(state: State, needs: Needs, *names: str) -> None:
    for name in names:
        if name not in state.parties and is_identifier(name):
            needs.parties.add(name)


def _uplines(state: State, needs: Needs, *names: str) -> None:
    """Need who authorised a party for every product: of a brand, that means every product of its own."""
    for name in names:
        if (party := state.parties.get(name)) is not None:
            for one in party.authorizations.values():
                if not one.products:
                    _parties(state, needs, one.upline)


def _product(state: State, needs: Needs, text: str) -> str:
    gtin = gtin14(text) or ""
    if gtin and gtin not in state.products:
        needs.products.add(gtin)
    return gtin


def _batches(state: State, needs: Needs, numbers: Iterable[int]) -> None:
    needs.batches.update(number for number in numbers if number not in state.batches)


def _authorization(state: State, needs: Needs, position: int) -> None:
    if position not in state.authorizations:
        needs.authorizations.add(position)
    elif (holder := state.authorizations[position]) is not None:
        _parties(state, needs, holder)


def _transfer(state: State, needs: Needs, position: int) -> None:
    if position not in state.transfers:
        needs.transfers.add(position)
    elif (transfer := state.transfers[position]) is not None:
        sides = (transfer.terms.giver, transfer.terms.receiver)
        _parties(state, needs, *sides)
        _uplines(state, needs, *sides)
        _ranges(state, needs, transfer.terms.ranges)


def _units(state: State, needs: Needs, units: Selection, holder: str) -> None:
    if len(units.ranges) + len(units.cases) + len(units.quantities) > MAX_RANGES:
        return  # refused before any unit is looked at
    _ranges(state, needs, units.ranges)
    for sscc in units.cases:
        _case(state, needs, sscc)
    for quantity in units.quantities:
        if quantity.batch:
            _batches(state, needs, [quantity.batch])
            continue
        gtin = _product(state, needs, quantity.product)
        batches = state.holdings.get((holder, gtin))
        if batches is not None:
            _batches(state, needs, batches)
        elif gtin and is_owner(holder):
            needs.holdings.add((holder, gtin))


def _ranges(state: State, needs: Needs, ranges: Iterable[UnitRange]) -> None:
    for part in ranges:
        batch = state.batches.get(part.batch)
        if part.batch not in state.batches:
            needs.batches.add(part.batch)
        elif batch is not None and batch.packed:
            for sscc in packed_in(batch, part):
                _case(state, needs, sscc)


def _case(state: State, needs: Needs, sscc: str) -> None:
    """Need a case, the cases around it and in it, and the batches of all contents."""
    pending = [sscc]
    while pending:
        name = pending.pop()
        if name in needs.walked or not is_sscc(name):
            continue
        needs.walked.add(name)
        case = state.cases.get(name)
        if name not in state.cases:
            needs.cases.add(name)
        elif case is not None:
            pending += [case.outer, *case.cases] if case.outer else case.cases
            _batches(state, needs, (part.batch for part in case.ranges))


def _ways(state: State, needs: Needs, units: Selection, owner: str) -> None:
    """Need the transfers by which units to be returned had come."""
    if needs:
        return
    ranges = resolve(state, units, Pick(owner))
    if not isinstance(ranges, Refusal):
        came_by = {run.way[-1] for _, run in pieces(state, ranges) if run.way}
        needs.transfers.update(position for position in came_by if position not in state.transfers)
