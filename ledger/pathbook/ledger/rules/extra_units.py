"""Extra units of an acceptance: what a receiver may report as found in a delivery, beyond what was offered."""

from pathbook.ledger import commands
from pathbook.ledger.ranges import count_units
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.budget import RANGES
from pathbook.ledger.rules.quantities import Pick
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.units import refuse_move, resolve
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Ranges, Selection


def extra_units(
    state: State, command: commands.AcceptTransfer, offered: Terms, moment: int
) -> Ranges | Refusal:
    """Return the extra units that an acceptance names, or why they are refused. Often there are none.

    The giver allowed their number. They move at the price of the offer, so they are of a product that it offered.
    """
    if not command.extra:
        return ()
    found = resolve(state, Selection(command.extra), Pick(offered.giver))
    if isinstance(found, Refusal):
        return found
    if (count := count_units(found)) > (allowed := offered.extra_allowed):
        facts = {"transfer": command.transfer, "giver": offered.giver}
        return refuse(Reason.EXTRA_NOT_ALLOWED, count=count, allowed=allowed, **facts)
    known = _products(state, offered.ranges)
    for part in found:
        if not _products(state, (part,)) <= known:
            return refuse(Reason.EXTRA_OTHER_PRODUCT, range=part, transfer=command.transfer)
    return refuse_move(state, found, offered.giver, moment) or found


def _products(state: State, ranges: Ranges) -> set[str]:
    """Return the products of units, whose batches must be loaded."""
    state.budget.spend(len(ranges), RANGES)
    batches = [state.batches[part.batch] for part in ranges]
    return {batch.commissioned.product for batch in batches if batch is not None}
