"""The holders of a batch: who owns and who has its units, in the order of the units."""

from msgspec.structs import replace

from pathbook.ledger.projections.registers import BatchRow
from pathbook.ledger.queries.answers import Holder, Listed
from pathbook.ledger.ranges import joined
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Ranges, Unit, UnitRange, UnitState, is_lot

EXAMINED_RUNS_MAX = 10_000
"""How many runs a page examines at most, which takes some 20 ms. Then it ends, even within the units of one holder."""

RUNS_AT_ONCE = 1_000
"""How many runs one statement reads."""

_STATES = {state.value: state for state in UnitState}


def holders(
    views: ViewSnapshot, number: int, ranges: Ranges, after: int, limit: int
) -> Listed[Holder, int] | Refusal:
    """Return the holders of a batch, or of some of its units, from a unit on. A range of batch 0 is of this batch."""
    batch = views.batch(number)
    return (
        refuse(Reason.BATCH_UNKNOWN, batch=number)
        if batch is None
        else _holders(views, batch, ranges, after, limit)
    )


def holders_of_lot(
    views: ViewSnapshot, gtin: str, lot: str, ranges: Ranges, after: int, limit: int
) -> Listed[Holder, int] | Refusal:
    """Return the holders of the batch of a product with a lot number. See `holders`."""
    batch = views.batch_of_lot(gtin, lot) if is_lot(lot) else None
    if batch is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=f"{lot} of {gtin}")
    return _holders(views, batch, ranges, after, limit)


def _holders(
    views: ViewSnapshot, batch: BatchRow, ranges: Ranges, after: int, limit: int
) -> Listed[Holder, int] | Refusal:
    wanted = _parts(batch, ranges)
    if isinstance(wanted, Refusal):
        return wanted
    items: list[Holder] = []
    left = EXAMINED_RUNS_MAX
    for part in wanted:
        position = max(part.first, after)
        while position <= part.last:
            if not left:
                return Listed(items, position)
            count = min(limit + 1, RUNS_AT_ONCE, left)
            for run in views.held_runs(UnitRange(part.batch, position, part.last), count):
                units = UnitRange(part.batch, max(run.first, position), min(run.last, part.last))
                held = Holder(units, run.owner, run.custodian, _STATES[run.state])
                if items and _continues(items[-1], held):
                    first = items[-1].range.first
                    items[-1] = replace(held, range=UnitRange(part.batch, first, units.last))
                elif len(items) == limit:
                    return Listed(items, units.first)
                else:
                    items.append(held)
                position = units.last + 1
                left -= 1
    return Listed(items, None)


def _continues(before: Holder, held: Holder) -> bool:
    return before.range.last + 1 == held.range.first and (before.owner, before.custodian, before.state) == (
        held.owner,
        held.custodian,
        held.state,
    )


def _parts(batch: BatchRow, ranges: Ranges) -> Ranges | Refusal:
    """Return the ranges in order, or the whole batch if there are none."""
    named = [UnitRange(part.batch or batch.batch, part.first, part.last) for part in ranges]
    for part in named:
        if part.first < 0 or part.last < part.first:
            return refuse(Reason.RANGE_REVERSED, range=part)
        if part.batch != batch.batch or part.last >= batch.size:
            return refuse(Reason.RANGE_BEYOND_BATCH, range=part, last=batch.size - 1)
    wanted = joined(named or [UnitRange(batch.batch, 0, batch.size - 1)])
    if isinstance(wanted, Unit):
        return refuse(Reason.RANGES_OVERLAP, number=wanted.number, batch=wanted.batch)
    return wanted
