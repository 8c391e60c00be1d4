"""Declarations that an event was an error. The party that had acted declares it, until something was built upon it."""

from collections.abc import Iterable
from typing import Final, assert_never

from pathbook.ledger.commands import DeclareError
from pathbook.ledger.events import (
    DeclarableEvent,
    ErrorDeclared,
    PurchaseConfirmed,
    ReversalAsked,
    UnitsDelivered,
    UnitsWrittenOff,
)
from pathbook.ledger.ranges import common
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.answerable import refuse_other
from pathbook.ledger.rules.budget import CASES
from pathbook.ledger.rules.goods import packed_count, packed_in, packed_within
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.text import commitment_of, refuse_text
from pathbook.ledger.rules.units import outermost, packed_units, pieces, refuse_broken_cases, refuse_unless
from pathbook.ledger.run import Run
from pathbook.ledger.steps import actor_of
from pathbook.ledger.values import Ranges, TransferStatus, UnitRange, UnitState

_REVERSED: Final = TransferStatus.REVERSED


def declare(state: State, command: DeclareError) -> ErrorDeclared | Refusal:
    """Declare that an event of the party was an error. All is again as it was before, and both stay on record."""
    mistake = state.declarables.get(command.position)
    if mistake is None:
        return refuse(Reason.EVENT_NOT_DECLARABLE, position=command.position)
    actor = actor_of(mistake.event)
    if actor != command.party:
        return refuse(Reason.NOT_THE_ACTOR, actor=actor, position=command.position, party=command.party)
    if (refusal := refuse_other(command, mistake.leaf)) is not None:
        return refusal
    if mistake.is_declared:
        return refuse(Reason.ERROR_ALREADY_DECLARED, position=command.position)
    if (refusal := refuse_text("note", command.note)) is not None:
        return refusal
    if (refusal := _refuse_built_upon(state, command.position, mistake.event)) is not None:
        return refusal
    return ErrorDeclared(command.position, command.party, commitment_of(command), mistake.event)


def _refuse_built_upon(state: State, position: int, event: DeclarableEvent) -> Refusal | None:
    """Refuse if what the event changed was changed again since."""
    match event:
        case UnitsWrittenOff():
            # a written-off unit changes no more, but the case that it was in may have moved without it
            return _refuse_case_moved(state, position, event.ranges)
        case PurchaseConfirmed():

            def confirmed(part: UnitRange, run: Run) -> Refusal | None:
                same_sale = run.last_hop is not None and run.last_hop.transfer < position
                if run.state is UnitState.CONFIRMED and run.owner == event.consumer and same_sale:
                    return None
                return refuse(Reason.EVENT_BUILT_UPON, what=f"Units {part}", position=position)

            return refuse_unless(state, event.ranges, confirmed)
        case UnitsDelivered():

            def untouched(part: UnitRange, run: Run) -> Refusal | None:
                if run.position == position:
                    return None
                return refuse(Reason.EVENT_BUILT_UPON, what=f"Units {part}", position=position)

            return refuse_unless(state, event.ranges, untouched) or refuse_broken_cases(state, event.ranges)
        case ReversalAsked():
            transfer = state.transfers[event.transfer]
            if transfer is None or transfer.status is _REVERSED or transfer.reversal_asked_at != position:
                return refuse(Reason.EVENT_BUILT_UPON, what="The transfer", position=position)
            return None
        case _:
            assert_never(event)


def _refuse_case_moved(state: State, position: int, ranges: Ranges) -> Refusal | None:
    """Refuse if units that were written off would lie elsewhere, or belong to another owner, than their case.

    Such a case could neither move nor be unpacked. Its custodian unpacks it first. The same holds for a case that is
    offered without them.
    """
    sides: dict[str, set[tuple[str, str, int]]] = {}
    for part in ranges:
        batch = state.batches[part.batch]
        assert batch is not None, part
        state.budget.spend(1 + packed_count(batch, part), CASES)
        for within in packed_within(batch, part):
            (sscc,) = packed_in(batch, within)
            back = pieces(state, tuple(common(ranges, (within,))))
            sides.setdefault(outermost(state, sscc), set()).update(_sides(back))
    for sscc, found in sides.items():
        case = state.cases[sscc]
        assert case is not None, sscc
        if len(found.union(_sides(pieces(state, packed_units(state, case))))) > 1:
            return refuse(Reason.EVENT_BUILT_UPON, what=f"Case {sscc}", position=position)
    return None


def _sides(found: Iterable[tuple[UnitRange, Run]]) -> set[tuple[str, str, int]]:
    """Return who owns pieces, who has them, and the open offers that reserve them, or 0."""
    return {
        (run.owner, run.custodian, run.transfer if run.state is UnitState.OFFERED else 0) for _, run in found
    }
