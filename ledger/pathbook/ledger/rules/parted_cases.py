"""Cases whose units came by several transfers: undoing these must not part them."""

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.units import outermost_cases, packed_units, pieces
from pathbook.ledger.run import custodian_before
from pathbook.ledger.values import Ranges


def refuse_parted_cases(state: State, ranges: Ranges) -> Refusal | None:
    """Refuse to undo the last transfers of units in a case that would then have several owners or custodians.

    Such a case could neither move nor be unpacked. The ranges hold all of each case, and their transfers are loaded.
    """
    for sscc, part in outermost_cases(state, ranges).items():
        case = state.cases[sscc]
        assert case is not None, sscc
        sides = set()
        for _, run in pieces(state, packed_units(state, case)):
            assert run.last_hop is not None, run
            transfer = state.transfers[run.last_hop.transfer]
            assert transfer is not None, run
            sides.add((transfer.terms.giver, custodian_before(run, transfer.terms.receiver)))
        if len(sides) > 1:
            return refuse(Reason.UNITS_IN_CASE, range=part, sscc=sscc)
    return None
