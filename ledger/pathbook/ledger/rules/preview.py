"""Previews: which units a selection means to a transfer, decided by its rule, with nothing recorded."""

from pathbook.ledger.commands import OfferTransfer
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.budget import Budget, BudgetSpentError
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.transfer import meant
from pathbook.ledger.values import Price, Ranges, Selection


def needing_as_much(owner: str, units: Selection) -> OfferTransfer:
    """Return a command that needs the state that a preview needs. It is never decided."""
    return OfferTransfer(request_id="", giver=owner, receiver=owner, units=units, unit_price=Price(0, "XXX"))


def preview(state: State, owner: str, units: Selection, moment: int, budget: Budget) -> Ranges | Refusal:
    """Return the units that a selection means to a transfer of an owner at a time. They need not be free to move."""
    before, state.budget = state.budget, budget
    try:
        if state.position == 0:
            return refuse(Reason.BOOK_UNKNOWN, book=state.book)
        if state.parties.get(owner) is None:
            return refuse(Reason.PARTY_UNKNOWN, party=owner)
        return meant(state, owner, units, moment)
    except BudgetSpentError as spent:
        return refuse(Reason.TOO_MUCH_WORK, part=spent.part, limit=spent.limit)
    finally:
        state.budget = before
