"""Deciding a command: the checks of every command, and the choice of its rule."""

from typing import assert_never

from pathbook.ledger import commands, key_commands
from pathbook.ledger.applying import steps_to_apply
from pathbook.ledger.commands import AnyCommand, Command, SignedCommand
from pathbook.ledger.events import Event
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.requests import unsigned
from pathbook.ledger.rules import (
    batch,
    correction,
    custody,
    keys,
    opening,
    party,
    sale,
    sealing,
    statements,
    transfer,
)
from pathbook.ledger.rules.budget import RUNS, Budget, BudgetSpentError
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.times import refuse_future
from pathbook.ledger.values import MAX_STEPS, is_request_id


def decide(state: State, command: AnyCommand, now: int, budget: Budget | None = None) -> Event | Refusal:
    """Return the event that a command causes at a time (microseconds since 1970 UTC), or its refusal.

    All state that ``pathbook.ledger.rules.required_state.required_state`` names must be loaded. What the state
    says of the book is not changed. The steps are spent from the budget, which includes the applying of the event.
    """
    before, state.budget = state.budget, budget or Budget(MAX_STEPS)
    try:
        event = _decide_within(state, command, now)
        if type(event) is not Refusal:
            state.budget.spend(steps_to_apply(state.partitions, event), RUNS)
    except BudgetSpentError as spent:
        return refuse(Reason.TOO_MUCH_WORK, part=spent.part, limit=spent.limit)
    else:
        return event
    finally:
        state.budget = before


def _decide_within(state: State, requested: AnyCommand, now: int) -> Event | Refusal:
    """Check what every command must have, then call its rule. Raises BudgetSpentError."""
    command = unsigned(requested)
    if not is_request_id(command.request_id) and not isinstance(command, commands.OwnCommand):
        return refuse(Reason.REQUEST_ID_MALFORMED)
    if state.position == 0 and not isinstance(command, commands.OpenBook):
        return refuse(Reason.BOOK_UNKNOWN, book=state.book)
    refusal = (
        statements.refuse_signed(state, requested, now)
        if type(requested) is SignedCommand
        else statements.refuse_unsigned(state, command)
    )
    if refusal is not None:
        return refusal
    moment = command.occurred_at or now
    if (refusal := refuse_future(moment, now)) is not None:
        return refusal
    event = _decide(state, command, moment, now)
    if type(requested) is SignedCommand and not isinstance(event, Refusal):
        return (
            statements.refuse_unbound(requested) or event
        )  # only now is it known that there is such an event
    return event


def _decide(state: State, command: Command, moment: int, now: int) -> Event | Refusal:
    """Call the rule of the command. The most frequent commands come first, because a match tries cases in turn."""
    match command:
        case commands.RecordTransfer():
            return transfer.record(state, command, moment)
        case commands.SellUnits():
            return sale.sell(state, command, moment)
        case commands.ReturnUnits():
            return sale.give_back(state, command, moment)
        case commands.RegisterParty():
            return party.register(state, command)
        case commands.AuthorizeParty():
            return party.authorize(state, command, now)
        case commands.RevokeAuthorization():
            return party.revoke(state, command, now)
        case commands.RegisterProduct():
            return batch.register_product(state, command)
        case commands.CommissionBatch():
            return batch.commission(state, command, now)
        case commands.OfferTransfer():
            return transfer.offer(state, command, moment, now)
        case commands.AcceptTransfer():
            return transfer.accept(state, command, moment, now)
        case commands.DeclineTransfer():
            return transfer.decline(state, command, now)
        case commands.WithdrawTransfer():
            return transfer.withdraw(state, command, now)
        case commands.LapseTransfer():
            return transfer.lapse(state, command, now)
        case commands.ReverseTransfer():
            return transfer.reverse(state, command)
        case commands.DeliverUnits():
            return custody.deliver(state, command, moment)
        case commands.ConfirmPurchase():
            return sale.confirm(state, command, moment)
        case commands.WriteOffUnits():
            return custody.write_off(state, command, moment)
        case commands.PackCase():
            return custody.pack(state, command, moment)
        case commands.UnpackCase():
            return custody.unpack(state, command)
        case commands.RecallUnits():
            return batch.recall(state, command, moment)
        case commands.LiftRecall():
            return batch.lift(state, command, moment)
        case commands.OpenBook():
            return opening.open_book(state, command)
        case commands.DeclareError():
            return correction.declare(state, command)
        case commands.CorrectProduct():
            return batch.correct_product(state, command)
        case commands.CorrectBatch():
            return batch.correct_batch(state, command, now)
        case commands.CorrectParty():
            return party.correct_party(state, command)
        case commands.Seal():
            return sealing.seal(state, command)
        case key_commands.RegisterKey():
            return keys.register(state, command, now)
        case key_commands.RevokeKey():
            return keys.revoke(state, command)
        case key_commands.FileStatements():
            return statements.file(state, command)
        case _:
            assert_never(command)
