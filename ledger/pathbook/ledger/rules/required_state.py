"""The state to load before a command can be decided.

The caller calls ``required_state`` again after each load, because loaded state may name more: a transfer names its
units, units name the cases in which they are packed, and a case names its contents.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from pathbook.ledger import commands
from pathbook.ledger.commands import Command
from pathbook.ledger.events import ReversalAsked
from pathbook.ledger.hops import NOT_LOADED, Hop
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.state import State, packed_in
from pathbook.ledger.rules.units import Pick, pieces, resolve
from pathbook.ledger.values import (
    CONSUMER_PREFIX,
    MAX_RANGES,
    Ranges,
    Selection,
    UnitRange,
    gtin14,
    is_identifier,
    is_lot,
    is_owner,
    is_reference,
    is_sscc,
)


class RequiredState(msgspec.Struct):
    """The state that commands need and that is not loaded.

    ``holdings`` are pairs of party and GTIN, for the batches in which the party may own units. ``references`` are
    giver, receiver and reference. ``declarables`` are positions of events that may be declared errors. ``hops`` may
    be undone, and no hop before them is loaded. They come with their batches. ``visited`` and ``lines`` are the cases
    and the parties that were already examined.
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
    references: set[tuple[str, str, str]] = msgspec.field(default_factory=set)
    declarables: set[int] = msgspec.field(default_factory=set)
    hops: list[tuple[int, Hop]] = msgspec.field(default_factory=list)
    visited: set[str] = msgspec.field(default_factory=set)
    lines: set[str] = msgspec.field(default_factory=set)

    def __bool__(self) -> bool:
        """Tell whether anything must be loaded."""
        return any(msgspec.structs.astuple(self)[:-2])


def required_state(state: State, requested: Iterable[Command]) -> RequiredState:
    """Return the state to load next to decide commands. It is empty once everything is loaded."""
    required = RequiredState()
    for command in requested:
        _add(state, required, command)
    return required


def _add(state: State, required: RequiredState, command: Command) -> None:
    _parties(state, required, command.actor)
    match command:  # the most frequent commands come first, because a match tries its cases in turn
        case (
            commands.RecordTransfer(giver=giver, receiver=receiver, units=units)
            | commands.OfferTransfer(giver=giver, receiver=receiver, units=units)
        ):
            _parties(state, required, giver, receiver)
            _uplines(state, required, giver, receiver)
            _units(state, required, units, giver)
            if command.reference:
                _reference(state, required, giver, receiver, command.reference)
        case commands.SellUnits(seller=party, units=units):
            _uplines(state, required, party)
            _units(state, required, units, party)
            if command.reference:
                buyer = CONSUMER_PREFIX + command.consumer
                _reference(state, required, party, buyer, command.reference)
        case commands.ReturnUnits(owner=owner, units=units):
            _units(state, required, units, owner)
            _returned_transfers(state, required, units, owner)
        case commands.RegisterParty(party=party):
            _parties(state, required, party)
        case commands.AuthorizeParty(upline=upline, party=party, products=products):
            _parties(state, required, party)
            _uplines(state, required, upline)
            for product in products:
                _product(state, required, product)
            _products_of(state, required, upline)
        case commands.RevokeAuthorization(authorization=authorization):
            _authorization(state, required, authorization)
        case commands.RegisterProduct(product=product):
            _product(state, required, product)
        case commands.CommissionBatch(product=product, lot=lot):
            gtin = _product(state, required, product)
            if gtin and is_lot(lot) and (gtin, lot) not in state.lots:
                required.lots.add((gtin, lot))
        case commands.DeliverUnits(receiver=receiver, units=units):
            _parties(state, required, receiver)
            _units(state, required, units, receiver)
        case commands.WriteOffUnits(party=party, units=units) | commands.PackCase(party=party, units=units):
            _units(state, required, units, party)
            if isinstance(command, commands.PackCase):
                _case(state, required, command.sscc)
        case commands.ConfirmPurchase(units=units):
            _units(state, required, units, command.actor)
        case commands.AcceptTransfer(transfer=transfer) | commands.ReverseTransfer(transfer=transfer):
            _transfer(state, required, transfer)
            if isinstance(command, commands.AcceptTransfer):
                _ranges(state, required, command.extra[: MAX_RANGES + 1])
            else:
                _reversed_hops(state, required, command)
        case (
            commands.DeclineTransfer(transfer=transfer)
            | commands.WithdrawTransfer(transfer=transfer)
            | commands.LapseTransfer(transfer=transfer)
        ):
            if transfer not in state.transfers:
                required.transfers.add(transfer)
        case commands.UnpackCase(sscc=sscc):
            _case(state, required, sscc)
        case commands.DeclareError(position=position):
            _declarable(state, required, position)
        case commands.CorrectProduct(product=product):
            _product(state, required, product)
        case commands.CorrectParty(party=party):
            _parties(state, required, party)
        case commands.RecallUnits(batch=batch) | commands.CorrectBatch(batch=batch):
            _batches(state, required, [batch])
        case commands.LiftRecall(recall=recall):
            if recall not in state.recalls:
                required.recalls.add(recall)
            elif (recalled := state.recalls[recall]) is not None:
                _batches(state, required, [recalled])
        case commands.OpenBook():
            pass  # the origin and the policy of an open book are always loaded
        case _:
            assert_never(command)


def _parties(state: State, required: RequiredState, *names: str) -> None:
    for name in names:
        if name not in state.parties and is_identifier(name):
            required.parties.add(name)


def _uplines(state: State, required: RequiredState, *names: str) -> None:
    """Require all parties above these, because authority is what the whole line up to the brand covers."""
    pending = list(names)
    while pending:
        name = pending.pop()
        party = state.parties.get(name)
        if party is None or name in required.lines:
            continue
        required.lines.add(name)
        for given in party.authorizations.values():
            _parties(state, required, given.upline)
            pending.append(given.upline)


def _products_of(state: State, required: RequiredState, name: str) -> None:
    """Require the products that the authorizations of a party and of the line above it list."""
    _uplines(state, required, name)
    for listed in required.lines:
        if (party := state.parties.get(listed)) is not None:
            for given in party.authorizations.values():
                for product in given.products:
                    _product(state, required, product)


def _reference(state: State, required: RequiredState, giver: str, receiver: str, reference: str) -> None:
    """Require the transfer that a reference names, and its units, with which a report is compared."""
    key = giver, receiver, reference
    if key not in state.references:
        if is_reference(reference) and is_owner(giver) and is_owner(receiver):
            required.references.add(key)
    elif (position := state.references[key]) is not None:
        _transfer(state, required, position)


def _declarable(state: State, required: RequiredState, position: int) -> None:
    """Require an event that may be declared an error, and what it changed."""
    if position not in state.declarables:
        required.declarables.add(position)
    elif (mistake := state.declarables[position]) is not None:
        if isinstance(mistake.event, ReversalAsked):
            _transfer(state, required, mistake.event.transfer)
        else:
            _ranges(state, required, mistake.event.ranges)


def _product(state: State, required: RequiredState, text: str) -> str:
    gtin = gtin14(text) or ""
    if gtin and gtin not in state.products:
        required.products.add(gtin)
    return gtin


def _batches(state: State, required: RequiredState, numbers: Iterable[int]) -> None:
    required.batches.update(number for number in numbers if number not in state.batches)


def _authorization(state: State, required: RequiredState, position: int) -> None:
    if position not in state.authorizations:
        required.authorizations.add(position)
    elif (holder := state.authorizations[position]) is not None:
        _parties(state, required, holder)


def _transfer(state: State, required: RequiredState, position: int) -> None:
    if position not in state.transfers:
        required.transfers.add(position)
    elif (transfer := state.transfers[position]) is not None:
        sides = (transfer.terms.giver, transfer.terms.receiver)
        _parties(state, required, *sides)
        _uplines(state, required, *sides)
        _ranges(state, required, transfer.terms.ranges)


def _units(state: State, required: RequiredState, units: Selection, holder: str) -> None:
    if len(units.ranges) + len(units.cases) + len(units.quantities) > MAX_RANGES:
        return  # the rule refuses this before it looks at any unit
    _ranges(state, required, units.ranges)
    for sscc in units.cases:
        _case(state, required, sscc)
    for quantity in units.quantities:
        if quantity.batch:
            _batches(state, required, [quantity.batch])
            continue
        gtin = _product(state, required, quantity.product)
        batches = state.holdings.get((holder, gtin))
        if batches is not None:
            _batches(state, required, batches)
        elif gtin and is_owner(holder):
            required.holdings.add((holder, gtin))


def _ranges(state: State, required: RequiredState, ranges: Iterable[UnitRange]) -> None:
    for part in ranges:
        batch = state.batches.get(part.batch)
        if part.batch not in state.batches:
            required.batches.add(part.batch)
        elif batch is not None and batch.packed:
            for sscc in packed_in(batch, part):
                _case(state, required, sscc)


def _case(state: State, required: RequiredState, sscc: str) -> None:
    """Require a case, the cases around it and in it, and the batches of all contents."""
    pending = [sscc]
    while pending:
        name = pending.pop()
        if name in required.visited or not is_sscc(name):
            continue
        required.visited.add(name)
        case = state.cases.get(name)
        if name not in state.cases:
            required.cases.add(name)
        elif case is not None:
            pending += [case.outer, *case.cases] if case.outer else case.cases
            _batches(state, required, (part.batch for part in case.ranges))


def _returned_transfers(state: State, required: RequiredState, units: Selection, owner: str) -> None:
    """Require the transfers by which the units of a return had come, and the hops before them."""
    if required:
        return
    ranges = resolve(state, units, Pick(owner, returning=True))
    if not isinstance(ranges, Refusal):
        positions = _last_transfers(state, required, ranges)
        required.transfers.update(position for position in positions if position not in state.transfers)


def _reversed_hops(state: State, required: RequiredState, command: commands.ReverseTransfer) -> None:
    """Require the hops before a transfer that both sides reverse."""
    transfer = state.transfers.get(command.transfer)
    if not required and transfer is not None and transfer.reversal_asked_by not in ("", command.party):
        _last_transfers(state, required, transfer.terms.ranges)


def _last_transfers(state: State, required: RequiredState, ranges: Ranges) -> set[int]:
    """Return the transfers by which units last came, and require the hops before them."""
    hops = [(part.batch, run.last_hop) for part, run in pieces(state, ranges) if run.last_hop is not None]
    required.hops += [(batch, hop) for batch, hop in hops if hop.earlier is NOT_LOADED]
    return {hop.transfer for _, hop in hops}
