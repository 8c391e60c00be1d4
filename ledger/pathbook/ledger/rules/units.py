"""The units that a request names, and whether they are free to move. Every command that moves units needs both."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from pathbook.ledger.ranges import common, covers, joined, without
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.budget import CASES, RANGES, RECALLS, RUNS
from pathbook.ledger.rules.goods import Batch, Case, packed_count, packed_in
from pathbook.ledger.rules.quantities import Pick, Shelves
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.times import made_before, utc
from pathbook.ledger.run import Run
from pathbook.ledger.values import (
    MAX_QUANTITIES,
    MAX_RANGES,
    WRITTEN_OFF,
    Ranges,
    Selection,
    Unit,
    UnitRange,
    UnitState,
    gtin14,
    is_consumer,
)

_IN_STOCK: Final = UnitState.IN_STOCK  # looked up once, because the lookup takes longer than the use


def _refuse_number(units: Selection) -> Refusal | None:
    """Refuse a request that names nothing, or more than it may."""
    named = len(units.ranges) + len(units.cases) + len(units.quantities)
    if named == 0:
        return refuse(Reason.NO_UNITS)
    if named > MAX_RANGES:
        return refuse(Reason.TOO_MANY_RANGES, count=named, limit=MAX_RANGES)
    return None


def resolve(state: State, units: Selection, pick: Pick) -> Ranges | Refusal:
    """Return the units that a request names, sorted, each of them once."""
    if len(units.ranges) == 1 and not units.cases and not units.quantities:  # nearly always
        state.budget.spend(2, RANGES)
        return refuse_out_of_bounds(state, units.ranges[0]) or units.ranges
    if (refusal := _refuse_number(units)) is not None:
        return refusal
    if len(units.quantities) > MAX_QUANTITIES:
        return refuse(Reason.TOO_MANY_RANGES, count=len(units.quantities), limit=MAX_QUANTITIES)
    named = _named(state, units)
    if type(named) is Refusal:
        return named
    if not units.quantities:
        return _refuse_pieces(named)
    taken = Shelves(state, pick, named).take(units.quantities)
    if isinstance(taken, Refusal):
        return taken
    result = joined([*named, *taken])
    assert not isinstance(result, Unit), result  # a quantity takes no unit that was chosen before
    return _refuse_pieces(result)


def _refuse_pieces(ranges: Ranges) -> Ranges | Refusal:
    """Return the ranges, unless they are more than an event may have."""
    if len(ranges) > MAX_RANGES:
        return refuse(Reason.TOO_MANY_RANGES, count=len(ranges), limit=MAX_RANGES)
    return ranges


def _named(state: State, units: Selection) -> Ranges | Refusal:
    """Return the units that a request names by ranges and cases, sorted, each of them once."""
    state.budget.spend(2 * len(units.ranges), RANGES)
    for part in units.ranges:
        if (refusal := refuse_out_of_bounds(state, part)) is not None:
            return refusal
    chosen = list(units.ranges)
    for sscc in units.cases:
        contents = _contents(state, sscc)
        if isinstance(contents, Refusal):
            return contents
        chosen += contents
    result = joined(chosen)
    if isinstance(result, Unit):
        return refuse(Reason.RANGES_OVERLAP, number=result.number, batch=result.batch)
    return result


def _contents(state: State, sscc: str) -> Ranges | Refusal:
    """Return the units in a case, or why a request cannot name the case."""
    case = state.cases.get(sscc)
    if case is None:
        return refuse(Reason.CASE_UNKNOWN, sscc=sscc)
    if case.outer:
        return refuse(Reason.CASE_IN_CASE, sscc=sscc, outer=case.outer)
    return packed_units(state, case) or refuse(Reason.CASE_EMPTY, sscc=sscc)


def refuse_out_of_bounds(state: State, part: UnitRange) -> Refusal | None:
    """Refuse a range of an unknown batch, one that ends before it begins, and one beyond its batch."""
    batch = state.batches.get(part.batch)
    if batch is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=part.batch)
    if part.first < 0 or part.last < part.first:
        return refuse(Reason.RANGE_REVERSED, range=part)
    if part.last >= batch.commissioned.size:
        return refuse(Reason.RANGE_BEYOND_BATCH, range=part, last=batch.commissioned.size - 1)
    return None


def named_of(state: State, units: Selection, ranges: Ranges) -> bool | Refusal:
    """Tell whether a selection can name exactly the units of the ranges, each quantity any of them."""
    if (refusal := _refuse_number(units)) is not None:
        return refusal
    result = _named(state, units)
    if isinstance(result, Refusal):
        return result
    state.budget.spend(2 * len(ranges) + len(units.quantities), RANGES)
    for quantity in units.quantities:
        if quantity.count < 1:
            return refuse(Reason.QUANTITY_NOT_POSITIVE, count=quantity.count)
    if not covers(ranges, result):
        return False
    left: dict[int, int] = defaultdict(int)
    for part in without(ranges, result):
        left[part.batch] += part.count
    of_product: dict[str, int] = defaultdict(int)
    for quantity in units.quantities:
        if quantity.batch:
            left[quantity.batch] -= quantity.count
        else:
            of_product[gtin14(quantity.product) or quantity.product] += quantity.count
    for number, count in left.items():
        batch = state.batches.get(number)
        if batch is None or count < 0:
            return False
        of_product[batch.commissioned.product] -= count
    return not any(of_product.values())


def pieces(state: State, ranges: Ranges) -> Iterator[tuple[UnitRange, Run]]:
    """Yield the ranges, cut at the borders of runs, each with its run."""
    for part in ranges:
        found = state.partitions[part.batch].overlapping(part.first, part.last)
        state.budget.spend(len(found), RUNS)
        for run in found:
            yield UnitRange(part.batch, max(part.first, run.first), min(part.last, run.last)), run


def packed_units(state: State, case: Case) -> Ranges:
    """Return all units in a case and in the cases in it, without units that were written off since."""
    found: list[UnitRange] = []
    pending = [case]
    while pending:
        current = pending.pop()
        state.budget.spend(1 + len(current.cases) + len(current.ranges), CASES)
        pending += [inner for sscc in current.cases if (inner := state.cases[sscc]) is not None]
        found += [part for part, run in pieces(state, current.ranges) if run.state not in WRITTEN_OFF]
    result = joined(found)
    assert not isinstance(result, Unit), result
    return result


def outermost_cases(state: State, ranges: Ranges) -> dict[str, UnitRange]:
    """Return the outermost cases that hold any of the units, each with a range that has units in the case."""
    found: dict[str, UnitRange] = {}
    state.budget.spend(len(ranges), RANGES)
    for part in ranges:
        batch = state.batches[part.batch]
        assert batch is not None, part
        if batch.packed:
            state.budget.spend(packed_count(batch, part), CASES)
            for sscc in packed_in(batch, part):
                found.setdefault(outermost(state, sscc), part)
    return found


def outermost(state: State, sscc: str) -> str:
    """Return the outermost case around a case, or the case itself if there is none around it."""
    while (case := state.cases[sscc]) is not None and case.outer:
        state.budget.spend(1, CASES)
        sscc = case.outer
    return sscc


def refuse_broken_cases(state: State, ranges: Ranges) -> Refusal | None:
    """Refuse to move only some units of a case. A case moves whole, or it is unpacked first."""
    for sscc, part in outermost_cases(state, ranges).items():
        case = state.cases[sscc]
        assert case is not None, sscc
        if not covers(ranges, packed_units(state, case)):
            return refuse(Reason.UNITS_IN_CASE, range=part, sscc=sscc)
    return None


def refuse_unless(
    state: State, ranges: Ranges, guard: Callable[[UnitRange, Run], Refusal | None]
) -> Refusal | None:
    """Return the first refusal of a guard, which is called for every piece of the ranges."""
    for part, run in pieces(state, ranges):
        if (refusal := guard(part, run)) is not None:
            return refusal
    return None


def refuse_immovable(part: UnitRange, run: Run) -> Refusal | None:
    """Refuse units that are not free to move: sold, written off, or reserved."""
    if run.state is _IN_STOCK:
        return None
    if run.state in (UnitState.SOLD, UnitState.CONFIRMED):
        return refuse(Reason.UNITS_SOLD, range=part)
    if run.state in WRITTEN_OFF:
        return refuse(Reason.UNITS_WRITTEN_OFF, range=part, state=run.state.name.lower())
    if run.state is UnitState.OFFERED:
        return refuse(Reason.UNITS_RESERVED, range=part, transfer=run.transfer)
    return None


def refuse_others(owner: str) -> Callable[[UnitRange, Run], Refusal | None]:
    """Return the guard that refuses units of another owner, and units that are not free to move."""

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if run.owner != owner and not is_consumer(run.owner):
            return refuse(Reason.UNITS_NOT_OWNED, range=part, owner=run.owner, party=owner)
        return refuse_immovable(part, run)

    return guard


def refuse_recalled(state: State, ranges: Ranges, occurred_at: int) -> Refusal | None:
    """Refuse units that were under a recall at that time. Of several, the one of the first range is named."""
    for batch in _batches_of(state, ranges):
        state.budget.spend(len(batch.recalls), RECALLS)
        best, refusal = len(ranges), None
        for position, recall in batch.recalls.items():
            if not recall.holds_at(occurred_at):
                continue
            state.budget.spend(2 * min(len(ranges), len(recall.ranges)), RECALLS)
            found = next(common(recall.ranges, ranges), None)
            if found is not None and (place := _place(ranges, found)) < best:
                best, refusal = place, refuse(Reason.UNITS_RECALLED, range=found, recall=position)
        if refusal is not None:
            return refusal
    return None


def _place(ranges: Ranges, within: UnitRange) -> int:
    """Return the place of the range that holds the units."""
    return bisect_right(ranges, (within.batch, within.first), key=lambda part: (part.batch, part.first)) - 1


def _batches_of(state: State, ranges: Ranges) -> list[Batch]:
    """Return the batches of ranges, each once, in their order."""
    state.budget.spend(len(ranges), RANGES)
    if len(ranges) == 1:  # nearly always
        batch = state.batches[ranges[0].batch]
        return [] if batch is None else [batch]
    found = [state.batches[number] for number in dict.fromkeys([part.batch for part in ranges])]
    return [batch for batch in found if batch is not None]


def refuse_before_made(state: State, ranges: Ranges, occurred_at: int) -> Refusal | None:
    """Refuse a time before a batch was made."""
    for batch in _batches_of(state, ranges):
        if (refusal := _refuse_unmade(batch, occurred_at)) is not None:
            return refusal
    return None


def _refuse_unmade(batch: Batch, occurred_at: int) -> Refusal | None:
    made = batch.commissioned
    if made_before(made.made_on, occurred_at):
        return None
    at = utc(occurred_at)
    return refuse(Reason.OCCURRED_BEFORE_MADE, occurred_at=at, batch=made.batch, made_on=made.made_on)


def refuse_move(state: State, ranges: Ranges, owner: str, occurred_at: int) -> Refusal | None:
    """Refuse to move the title of units. The checks are the owner, the state, whole cases, recalls, and the time."""
    if (batch := _batch_of_free_run(state, ranges, owner)) is not None:
        return _refuse_unmade(batch, occurred_at)
    return (
        refuse_unless(state, ranges, refuse_others(owner))
        or refuse_broken_cases(state, ranges)
        or refuse_recalled(state, ranges, occurred_at)
        or refuse_before_made(state, ranges, occurred_at)
    )


def _batch_of_free_run(state: State, ranges: Ranges, owner: str) -> Batch | None:
    """Return the batch of units that lie in one run that the owner is free to move, if it has no cases and no recalls.

    Nearly all units do. Then nothing but their time may be refused. To see this at once takes a third of the time of
    all checks, whose steps it counts.
    """
    if len(ranges) != 1:
        return None
    part = ranges[0]
    batch = state.batches[part.batch]
    if batch is None or batch.packed or batch.recalls:
        return None
    found = state.partitions[part.batch].overlapping(part.first, part.last)
    if len(found) != 1 or found[0].owner != owner or found[0].state is not _IN_STOCK:
        return None
    state.budget.spend(1, RUNS)
    state.budget.spend(3, RANGES)
    return batch
