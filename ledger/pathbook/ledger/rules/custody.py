"""Changes of goods without their title: deliveries, write-offs, packing and unpacking of cases."""

from collections.abc import Callable

from pathbook.ledger.commands import DeliverUnits, PackCase, UnpackCase, WriteOffUnits
from pathbook.ledger.events import CasePacked, CaseUnpacked, UnitsDelivered, UnitsWrittenOff
from pathbook.ledger.ranges import union
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.budget import CASES
from pathbook.ledger.rules.quantities import Pick
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.text import commitment_of, refuse_text
from pathbook.ledger.rules.units import (
    outermost_cases,
    packed_units,
    pieces,
    refuse_before_made,
    refuse_broken_cases,
    refuse_immovable,
    refuse_recalled,
    refuse_unless,
    resolve,
)
from pathbook.ledger.run import Run
from pathbook.ledger.values import (
    CONSUMER_PREFIX,
    MAX_CASE_DEPTH,
    WRITTEN_OFF,
    PartyKind,
    Ranges,
    Selection,
    UnitRange,
    UnitState,
    is_consumer,
    is_owner,
    is_sscc,
)


def _refuse_stranger(state: State, name: str) -> Refusal | None:
    """Refuse a name that is neither a registered party nor the pseudonym of a consumer."""
    if state.parties.get(name) is None and not (is_consumer(name) and is_owner(name)):
        return refuse(Reason.PARTY_UNKNOWN, party=name)
    return None


def _refuse_other_custodian(party: str) -> Callable[[UnitRange, Run], Refusal | None]:
    """Return the guard that refuses units that another custodian has."""

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if run.custodian != party:
            return refuse(Reason.UNITS_NOT_IN_CUSTODY, range=part, custodian=run.custodian, party=party)
        return None

    return guard


def deliver(state: State, command: DeliverUnits, moment: int) -> UnitsDelivered | Refusal:
    """Deliver goods without their title, which moved before or stays. Sold units can be delivered too.

    A consumer receives only what it bought.
    """
    refusal = _refuse_stranger(state, command.custodian) or _refuse_stranger(state, command.receiver)
    if refusal is not None:
        return refusal
    if command.custodian == command.receiver:
        return refuse(Reason.SELF_TRANSFER, party=command.custodian)
    receiver = state.parties.get(command.receiver)
    to_brand = receiver is not None and receiver.kind is PartyKind.BRAND  # recalled goods may go to a brand
    pick = Pick(command.receiver, command.custodian, delivered_at=None if to_brand else moment)
    ranges = resolve(state, command.units, pick)
    if isinstance(ranges, Refusal):
        return ranges

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if is_consumer(command.receiver) and not is_consumer(run.owner):
            return refuse(Reason.UNITS_NOT_SOLD, range=part, owner=run.owner)
        if is_consumer(command.receiver) and run.owner != command.receiver:
            consumer = command.receiver.removeprefix(CONSUMER_PREFIX)
            return refuse(Reason.NOT_THE_BUYER, range=part, consumer=consumer)
        if run.state in (UnitState.SOLD, UnitState.CONFIRMED):
            return None
        return refuse_immovable(part, run)

    refusal = (
        refuse_unless(state, ranges, _refuse_other_custodian(command.custodian))
        or refuse_unless(state, ranges, guard)
        or refuse_broken_cases(state, ranges)
        or refuse_before_made(state, ranges, moment)
    )
    if refusal is not None:
        return refusal
    if not to_brand and (refusal := refuse_recalled(state, ranges, moment)) is not None:
        return refusal
    return UnitsDelivered(command.custodian, command.receiver, ranges)


def write_off(state: State, command: WriteOffUnits, moment: int) -> UnitsWrittenOff | Refusal:
    """Write off units in the party's custody. If they are in a case, it stays packed without them."""
    if (refusal := _refuse_stranger(state, command.party)) is not None:
        return refusal
    if command.state not in WRITTEN_OFF:
        return refuse(Reason.VALUE_MISSING, field="state")
    if (refusal := refuse_text("note", command.note)) is not None:
        return refusal
    ranges = resolve(state, command.units, Pick(command.party, custodian=command.party))
    if isinstance(ranges, Refusal):
        return ranges

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if run.state in (UnitState.SOLD, UnitState.CONFIRMED) and is_consumer(command.party):
            return None
        return refuse_immovable(part, run)

    refusal = (
        refuse_unless(state, ranges, _refuse_other_custodian(command.party))
        or refuse_unless(state, ranges, guard)
        or refuse_before_made(state, ranges, moment)
    )
    if refusal is not None:
        return refusal
    confirmed = union(part for part, run in pieces(state, ranges) if run.state is UnitState.CONFIRMED)
    return UnitsWrittenOff(command.party, ranges, command.state, commitment_of(command), confirmed)


def pack(state: State, command: PackCase, moment: int) -> CasePacked | Refusal:
    """Pack loose units and whole cases, which then move together."""
    if (refusal := _refuse_stranger(state, command.party)) is not None:
        return refusal
    if not is_sscc(command.sscc):
        return refuse(Reason.SSCC_CHECK_DIGIT, sscc=command.sscc)
    if state.cases.get(command.sscc) is not None:
        return refuse(Reason.CASE_EXISTS, sscc=command.sscc)
    pick = Pick(command.party, custodian=command.party)
    everything = resolve(state, command.units, pick)
    if isinstance(everything, Refusal):
        return everything
    selected, cases = command.units, command.units.cases
    loose = Selection(selected.ranges, (), selected.quantities)
    ranges = resolve(state, loose, pick) if selected.ranges or selected.quantities else ()
    if isinstance(ranges, Refusal):
        return ranges
    refusal = (
        refuse_unless(state, everything, _refuse_other_custodian(command.party))
        or refuse_unless(state, everything, refuse_immovable)
        or refuse_before_made(state, everything, moment)
        or _refuse_several_owners(state, everything)
    )
    if refusal is not None:
        return refusal
    if _depth(state, cases) >= MAX_CASE_DEPTH:
        return refuse(Reason.CASE_TOO_DEEP, sscc=command.sscc, limit=MAX_CASE_DEPTH)
    for sscc, part in outermost_cases(state, ranges).items():
        return refuse(Reason.UNITS_IN_CASE, range=part, sscc=sscc)
    return CasePacked(command.sscc, command.party, ranges, tuple(sorted(cases)))


def _refuse_several_owners(state: State, ranges: Ranges) -> Refusal | None:
    """Refuse to pack units of several owners together, because no owner could move the case."""
    owner = next(pieces(state, ranges))[1].owner

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if run.owner != owner:
            return refuse(Reason.CASE_OF_SEVERAL_OWNERS, range=part, owner=run.owner, other=owner)
        return None

    return refuse_unless(state, ranges, guard)


def _depth(state: State, ssccs: tuple[str, ...]) -> int:
    """Return how deep cases are packed in cases. The depth is 1 if the cases hold no case."""
    depth, level = 0, set(ssccs)
    while level:
        depth += 1
        state.budget.spend(len(level), CASES)
        level = {inner for sscc in level if (case := state.cases[sscc]) is not None for inner in case.cases}
    return depth


def unpack(state: State, command: UnpackCase) -> CaseUnpacked | Refusal:
    """Unpack a case that is not in another case."""
    if (refusal := _refuse_stranger(state, command.party)) is not None:
        return refusal
    case = state.cases.get(command.sscc)
    if case is None:
        return refuse(Reason.CASE_UNKNOWN, sscc=command.sscc)
    contents = packed_units(state, case)
    if not contents and case.packer != command.party:
        return refuse(Reason.NOT_THE_PACKER, sscc=command.sscc, packer=case.packer, party=command.party)
    if (refusal := refuse_unless(state, contents, _refuse_other_custodian(command.party))) is not None:
        return refusal
    if case.outer:
        return refuse(Reason.CASE_IN_CASE, sscc=command.sscc, outer=case.outer)
    if (refusal := refuse_unless(state, contents, _refuse_reserved)) is not None:
        return refusal
    return CaseUnpacked(command.sscc, command.party)


def _refuse_reserved(part: UnitRange, run: Run) -> Refusal | None:
    if run.state is UnitState.OFFERED:
        return refuse(Reason.UNITS_RESERVED, range=part, transfer=run.transfer)
    return None
