"""The state to load before a command can be decided.

The caller calls ``required_state`` again after each load, because loaded state may name more: a transfer names its
units, units name the cases in which they are packed, and a case names its contents.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, assert_never

from pathbook.ledger import commands, key_commands
from pathbook.ledger.command_fields import OPERATOR, AnsweringFields
from pathbook.ledger.commands import AnyCommand, Command, SignedCommand
from pathbook.ledger.events import ReversalAsked
from pathbook.ledger.hops import NOT_LOADED
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.requests import unsigned
from pathbook.ledger.rules.budget import (
    AUTHORIZATIONS,
    CASES,
    QUANTITIES,
    RANGES,
    RUNS,
    Budget,
    BudgetSpentError,
)
from pathbook.ledger.rules.goods import packed_count, packed_in
from pathbook.ledger.rules.loaded import FEW_UNITS, RANGE_RUN_STEPS, steps_if_loaded
from pathbook.ledger.rules.parts import RequiredState
from pathbook.ledger.rules.quantities import Pick
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.units import pieces, resolve
from pathbook.ledger.spans import FIRST_STOCK_RUNS, StockNotLoadedError
from pathbook.ledger.values import (
    CONSUMER_PREFIX,
    MAX_RANGES,
    MAX_STEPS,
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

PRODUCTS_PER_STEP: Final = 8
"""How many listed products are looked up in the time of a step."""

STOCK_STEPS: Final = 16
"""How many steps it counts to require the first runs of an owner in a batch."""

STOCKED_BATCHES_MAX: Final = 4
"""Of how many batches of a product the first runs of an owner are loaded. Of more, the rule comes to few, and asks."""

CASE_STEPS: Final = 5
"""How many steps a case counts. Deciding looks at each case, and at its units, more than once."""


def required_state(state: State, requested: Iterable[AnyCommand]) -> RequiredState:
    """Return the state to load next to decide commands. It is empty once everything is loaded.

    A command that would need more than it may look at gets its refusal, and must not be decided. Commands that take
    many steps are not all examined at once.
    """
    required, before, spent = RequiredState(), state.budget, 0
    for command in requested:
        if spent > MAX_STEPS:
            required.is_cut = True
            break
        if type(command) is commands.RecordTransfer and (steps := steps_if_loaded(state, required, command)):
            spent += steps
            continue
        budget = state.budget = Budget(MAX_STEPS)
        try:
            _add(state, required, unsigned(command))
            if isinstance(command, SignedCommand):
                _keys(state, required, command.party)
        except BudgetSpentError as error:
            required.refusals.append(refuse(Reason.TOO_MUCH_WORK, part=error.part, limit=error.limit))
        finally:
            state.budget = before
            spent += budget.spent
    return required


def _add(state: State, required: RequiredState, command: Command) -> None:
    _parties(state, required, actor := command.actor)
    if actor:
        _keys(state, required, actor)  # whether it must sign
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
            _leaf(state, required, command, state.authorizations.get(authorization))
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
            _leaf(state, required, command, state.recalls.get(recall))
        case key_commands.RegisterKey(party=party, endorser=endorser):
            _parties(state, required, party)
            _keys(state, required, party, endorser)
            if command.key not in state.taken_keys:
                required.taken_keys.add(command.key)
        case key_commands.RevokeKey(party=party, revoker=revoker):
            _parties(state, required, party)
            _keys(state, required, party, revoker)
        case key_commands.FileStatements(party=party):
            _keys(state, required, party)
        case commands.OpenBook() | commands.Seal():
            pass  # the origin, the policy and the last seal of an open book are always loaded
        case _:
            assert_never(command)


def _parties(state: State, required: RequiredState, *names: str) -> None:
    for name in names:
        if name not in state.parties and is_identifier(name):
            required.parties.add(name)


def _keys(state: State, required: RequiredState, *names: str) -> None:
    for name in names:
        if name not in state.keys and (name == OPERATOR or is_identifier(name)):
            required.keys.add(name)


def _leaf(state: State, required: RequiredState, command: AnsweringFields, known: object) -> None:
    """Require the leaf hash of a recall or an authorization, which is known, if a command names it."""
    if command.answered_leaf and known is not None and command.answered not in state.leaves:
        required.leaves.add(command.answered)


def _uplines(state: State, required: RequiredState, *names: str) -> None:
    """Require all parties above these, because authority is what the whole line up to the brand covers."""
    pending = list(names)
    while pending:
        name = pending.pop()
        party = state.parties.get(name)
        if party is None or name in required.lines:
            continue
        required.lines.add(name)
        state.budget.spend(len(party.authorizations), AUTHORIZATIONS)
        for given in party.authorizations.values():
            _parties(state, required, given.upline)
            pending.append(given.upline)


def _products_of(state: State, required: RequiredState, name: str) -> None:
    """Require the products that the authorizations of a party and of the line above it list."""
    pending = [name]
    while pending:
        listed = pending.pop()
        party = state.parties.get(listed)
        if party is None or listed in required.listing:
            continue
        required.listing.add(listed)
        for given in party.authorizations.values():
            state.budget.spend(1 + len(given.products) // PRODUCTS_PER_STEP, AUTHORIZATIONS)
            required.products.update(product for product in given.products if product not in state.products)
            pending.append(given.upline)


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
    for batch, product in dict.fromkeys([(item.batch, item.product) for item in units.quantities]):
        if batch:
            _stock(state, required, [batch], holder)
            continue
        gtin = _product(state, required, product)
        batches = state.holdings.get((holder, gtin))
        if batches is not None:
            _stock(state, required, batches, holder)
        elif gtin and is_owner(holder):
            required.holdings.add((holder, gtin))


def _stock(state: State, required: RequiredState, numbers: Collection[int], owner: str) -> None:
    """Require batches, and if they are few, the first runs of an owner in each."""
    if len(numbers) > STOCKED_BATCHES_MAX:
        _batches(state, required, numbers)
        return
    for number in numbers:
        partition = state.partitions.get(number)
        if partition is not None and partition.has_stock(owner):
            continue
        if number not in state.batches:
            required.batches.add(number)
        elif state.batches[number] is None:
            continue
        state.budget.spend(STOCK_STEPS, QUANTITIES)
        required.stocks[number, owner] = 0, FIRST_STOCK_RUNS


def _ranges(state: State, required: RequiredState, ranges: Sequence[UnitRange]) -> None:
    """Require the batches of ranges, the runs in the ranges, and the cases that hold units of them."""
    for part in ranges:
        state.budget.spend(1, RANGES)
        batch = state.batches.get(part.batch)
        if batch is None:
            if part.batch not in state.batches:
                required.batches.add(part.batch)
                if 0 <= part.first <= part.last:
                    required.runs.add(part)
            continue
        if not 0 <= part.first <= part.last < batch.commissioned.size:
            continue  # the rule refuses this before it looks at any unit
        partition = state.partitions.get(part.batch)
        if partition is None:
            required.runs.add(part)
        else:
            few = len(ranges) * part.count <= FEW_UNITS
            count = part.count if few else partition.count(part.first, part.last)
            state.budget.spend(RANGE_RUN_STEPS * count, RUNS)
            required.runs.update(partition.missing(part.first, part.last))
        if batch.packed:
            state.budget.spend(packed_count(batch, part), CASES)
            for sscc in packed_in(batch, part):
                _case(state, required, sscc)


def _case(state: State, required: RequiredState, sscc: str) -> None:
    """Require a case, the cases around it and in it, and the batches and runs of all contents."""
    pending = [sscc]
    while pending:
        name = pending.pop()
        if name in required.visited or not is_sscc(name):
            continue
        required.visited.add(name)
        state.budget.spend(CASE_STEPS, CASES)
        case = state.cases.get(name)
        if name not in state.cases:
            required.cases.add(name)
        elif case is not None:
            pending += [case.outer, *case.cases] if case.outer else case.cases
            _ranges(state, required, case.ranges)


def _returned_transfers(state: State, required: RequiredState, units: Selection, owner: str) -> None:
    """Require the transfers by which the units of a return had come, and the hops before them."""
    if required:
        return
    try:
        ranges = resolve(state, units, Pick(owner, returning=True))
    except StockNotLoadedError as error:
        required.stocks |= error.stocks
        required.runs.update(error.gained)
        return
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
