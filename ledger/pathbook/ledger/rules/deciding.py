"""The one way from a command to its event or its refusal."""

from typing import assert_never

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
from pathbook.ledger.events import Event
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules import batch, custody, party, sale, transfer
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.times import refuse_future
from pathbook.ledger.values import PartyKind, is_request_id


def decide(state: State, command: Command, now: int) -> Event | Refusal:
    """Return the event a command causes at a time (microseconds since 1970 UTC), or why it may not.

    All that ``pathbook.ledger.rules.required_state.required_state`` names must be at hand. The state is not changed.
    """
    if not is_request_id(command.request_id) and not isinstance(command, LapseTransfer):
        return refuse(Reason.REQUEST_ID_MALFORMED)
    if state.position == 0 and not (isinstance(command, RegisterParty) and command.kind is PartyKind.BRAND):
        return refuse(Reason.BOOK_UNKNOWN, book=state.book)
    moment = command.occurred_at or now
    if (refusal := refuse_future(moment, now)) is not None:
        return refusal
    return _decide(state, command, moment, now)


def _decide(state: State, command: Command, moment: int, now: int) -> Event | Refusal:
    """Ask the rule. What fills most books comes first, for a match tries its cases in turn."""
    match command:
        case RecordTransfer():
            return transfer.record(state, command, moment)
        case SellUnits():
            return sale.sell(state, command, moment)
        case ReturnUnits():
            return sale.give_back(state, command, moment)
        case RegisterParty():
            return party.register(state, command)
        case AuthorizeParty():
            return party.authorize(state, command, now)
        case RevokeAuthorization():
            return party.revoke(state, command, now)
        case RegisterProduct():
            return batch.register_product(state, command)
        case CommissionBatch():
            return batch.commission(state, command, now)
        case OfferTransfer():
            return transfer.offer(state, command, moment, now)
        case AcceptTransfer():
            return transfer.accept(state, command, moment, now)
        case DeclineTransfer():
            return transfer.decline(state, command, now)
        case WithdrawTransfer():
            return transfer.withdraw(state, command, now)
        case LapseTransfer():
            return transfer.lapse(state, command, now)
        case ReverseTransfer():
            return transfer.reverse(state, command)
        case DeliverUnits():
            return custody.deliver(state, command, moment)
        case ConfirmPurchase():
            return sale.confirm(state, command, moment)
        case WriteOffUnits():
            return custody.write_off(state, command, moment)
        case PackCase():
            return custody.pack(state, command, moment)
        case UnpackCase():
            return custody.unpack(state, command)
        case RecallUnits():
            return batch.recall(state, command)
        case LiftRecall():
            return batch.lift(state, command)
        case _:
            assert_never(command)
