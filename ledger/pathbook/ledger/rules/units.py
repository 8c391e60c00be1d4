"""The units that a request names, and whether they are free to move. Every command that moves units needs both."""

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pathbook.ledger.ranges import common, count_units, holds, joined, union, without
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.state import Batch, Case, State, packed_in, packed_within
from pathbook.ledger.rules.times import last_moment, made_before, utc
from pathbook.ledger.runs import Run
from pathbook.ledger.values import (
    MAX_PIECES,
    MAX_QUANTITIES,
    MAX_RANGES,
    WRITTEN_OFF,
    Quantity,
    Ranges,
    Selection,
    Unit,
    UnitRange,
    UnitState,
    gtin14,
    is_consumer,
)

_HELD: Final = frozenset({UnitState.IN_STOCK, UnitState.SOLD, UnitState.CONFIRMED})
_IN_STOCK: Final = UnitState.IN_STOCK  # looked up once, because the lookup takes longer than the use


class Pick(msgspec.Struct, frozen=True):
    """The units that a quantity may take: those of the owner that ``custodian`` has ("" means any custodian).

    With ``onward_at``, units that were expired or recalled at that time are passed over. They may go back but not
    onward. With ``delivered_at``, only units that were recalled are. A consumer's quantity takes units that it bought.
    To confirm a purchase, it takes those that are not confirmed yet, also in cases. To return units, a quantity takes
    those that came by a transfer.
    """

    owner: str
    custodian: str = ""
    onward_at: int | None = None
    delivered_at: int | None = None
    confirming: bool = False
    returning: bool = False


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
    if (refusal := _refuse_number(units)) is not None:
        return refusal
    if len(units.quantities) > MAX_QUANTITIES:
        return refuse(Reason.TOO_MANY_RANGES, count=len(units.quantities), limit=MAX_QUANTITIES)
    named_units = _named(state, units)
    if isinstance(named_units, Refusal):
        return named_units
    chosen = list(named_units)
    for quantity in units.quantities:
        taken = _take(state, quantity, pick, chosen)
        if isinstance(taken, Refusal):
            return taken
        chosen += taken
    result = joined(chosen)
    assert not isinstance(result, Unit), result  # a quantity takes no unit that was chosen before
    if len(result) > MAX_RANGES:
        return refuse(Reason.TOO_MANY_RANGES, count=len(result), limit=MAX_RANGES)
    touched = sum([state.partitions[part.batch].count(part.first, part.last) for part in result])
    if touched > MAX_PIECES:
        return refuse(Reason.TOO_MANY_RANGES, count=touched, limit=MAX_PIECES)
    return result


def _named(state: State, units: Selection) -> Ranges | Refusal:
    """Return the units that a request names by ranges and cases, sorted, each of them once."""
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


def _take(state: State, quantity: Quantity, pick: Pick, chosen: list[UnitRange]) -> list[UnitRange] | Refusal:
    """Take a quantity of loose, free units: what expires first, then what was made first, lowest number first."""
    if quantity.count < 1:
        return refuse(Reason.QUANTITY_NOT_POSITIVE, count=quantity.count)
    origin = quantity.batch or gtin14(quantity.product)
    if origin is None:
        return refuse(Reason.GTIN_CHECK_DIGIT, gtin=quantity.product)
    if isinstance(origin, int) and state.batches.get(origin) is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=origin)
    if isinstance(origin, str) and state.products.get(origin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=origin)
    taken: list[UnitRange] = []
    wanted = quantity.count
    for part in _loose(state, origin, pick, chosen):
        taken.append(UnitRange(part.batch, part.first, min(part.last, part.first + wanted - 1)))
        wanted -= taken[-1].count
        if wanted == 0:
            return taken
        if len(taken) > MAX_PIECES:
            return refuse(Reason.TOO_MANY_RANGES, count=len(taken), limit=MAX_PIECES)
    return refuse(
        Reason.STOCK_TOO_SMALL,
        party=pick.owner,
        available=quantity.count - wanted,
        what=f"batch {origin}" if quantity.batch else f"product {origin}",
        count=quantity.count,
        **_passed_over(state, origin, pick),
    )


def _passed_over(state: State, origin: int | str, pick: Pick) -> dict[str, int]:
    """Count the owner's units that a quantity does not take, each once: expired, recalled, reserved, in cases."""
    counts = {"expired": 0, "recalled": 0, "reserved": 0, "packed": 0}
    for batch in _batches(state, origin, pick.owner):
        number = batch.commissioned.batch
        recalled = union(_recalled(batch, pick))
        for run in state.partitions[number].runs:
            if run.owner != pick.owner or not _is_meant(pick, run):
                continue
            whole = UnitRange(number, run.first, run.last)
            if run.state is UnitState.OFFERED:
                counts["reserved"] += whole.count
            elif run.state in _HELD and _is_expired(batch, pick):
                counts["expired"] += whole.count
            elif run.state in _HELD and not pick.confirming:
                sound = without((whole,), recalled)
                counts["recalled"] += whole.count - count_units(sound)
                loose = without(sound, packed_within(batch, whole))
                counts["packed"] += count_units(sound) - count_units(loose)
    return counts


def _is_meant(pick: Pick, run: Run) -> bool:
    """Tell whether the right custodian has the units of a run, and whether they can go back if they have to."""
    return pick.custodian in ("", run.custodian) and (run.last_hop is not None or not pick.returning)


def _is_expired(batch: Batch, pick: Pick) -> bool:
    """Tell whether the units of a batch are passed over because they had expired everywhere on earth."""
    expires_on = batch.commissioned.expires_on
    return pick.onward_at is not None and expires_on is not None and last_moment(expires_on) <= pick.onward_at


def _recalled(batch: Batch, pick: Pick) -> list[UnitRange]:
    """Return the ranges that are passed over because of a recall. They may overlap."""
    moment = pick.onward_at if pick.delivered_at is None else pick.delivered_at
    if moment is None:
        return []
    return [part for recall in batch.recalls.values() if recall.holds_at(moment) for part in recall.ranges]


def _loose(state: State, origin: int | str, pick: Pick, chosen: list[UnitRange]) -> Iterator[UnitRange]:
    """Yield the free units of a batch (by number) or product (by GTIN) that a quantity may take."""
    found = _bought(state, origin, pick) if is_consumer(pick.owner) else _stocked(state, origin, pick)
    excluded: dict[int, Ranges] = {}
    for batch, run in found:
        number = batch.commissioned.batch
        if number not in excluded:
            excluded[number] = union(
                [*(part for part in chosen if part.batch == number), *_recalled(batch, pick)]
            )
        free: Ranges = (UnitRange(number, run.first, run.last),)
        if batch.packed and not pick.confirming:
            free = without(free, packed_within(batch, free[0]))
        yield from without(free, excluded[number]) if excluded[number] else free


def _stocked(state: State, origin: int | str, pick: Pick) -> Iterator[tuple[Batch, Run]]:
    """Yield the runs in stock of a party that a quantity may take, in the order in which it takes them."""
    for batch in _batches(state, origin, pick.owner):
        if not _is_expired(batch, pick):
            for run in state.partitions[batch.commissioned.batch].in_stock(pick.owner):
                if _is_meant(pick, run):
                    yield batch, run


def _bought(state: State, origin: int | str, pick: Pick) -> list[tuple[Batch, Run]]:
    """Return the runs that a consumer has bought, in the order of the sales."""
    runs = [
        (batch, run)
        for batch in _batches(state, origin, pick.owner)
        for run in state.partitions[batch.commissioned.batch].in_stock(pick.owner)
        if _is_meant(pick, run) and not (pick.confirming and run.state is UnitState.CONFIRMED)
    ]
    return sorted(runs, key=lambda item: (item[1].transfer, item[0].commissioned.batch, item[1].first))


def _batches(state: State, origin: int | str, owner: str) -> list[Batch]:
    """Return a batch by its number, or the batches of a product (by GTIN) in which an owner may have units.

    What expires first comes first, and of those what was made first. Units that never expire come last.
    """
    if isinstance(origin, int):
        only = state.batches[origin]
        return [] if only is None else [only]
    numbers = state.holdings.get((owner, origin), state.batches)
    loaded = [batch for number in numbers if (batch := state.batches[number]) is not None]
    batches = [batch for batch in loaded if batch.commissioned.product == origin]
    return sorted(batches, key=_first_to_expire)


def _first_to_expire(batch: Batch) -> tuple[datetime.date, datetime.date, int]:
    made = batch.commissioned
    return made.expires_on or datetime.date.max, made.made_on, made.batch


def named_of(state: State, units: Selection, ranges: Ranges) -> bool | Refusal:
    """Tell whether a selection can name exactly the units of the ranges, each quantity any of them."""
    if (refusal := _refuse_number(units)) is not None:
        return refusal
    result = _named(state, units)
    if isinstance(result, Refusal):
        return result
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
        for run in state.partitions[part.batch].overlapping(part.first, part.last):
            yield UnitRange(part.batch, max(part.first, run.first), min(part.last, run.last)), run


def packed_units(state: State, case: Case) -> Ranges:
    """Return all units in a case and in the cases in it, without units that were written off since."""
    found: list[UnitRange] = []
    pending = [case]
    while pending:
        current = pending.pop()
        pending += [inner for sscc in current.cases if (inner := state.cases[sscc]) is not None]
        found += [part for part, run in pieces(state, current.ranges) if run.state not in WRITTEN_OFF]
    result = joined(found)
    assert not isinstance(result, Unit), result
    return result


def outermost_cases(state: State, ranges: Ranges) -> dict[str, UnitRange]:
    """Return the outermost cases that hold any of the units, each with a range that has units in the case."""
    found: dict[str, UnitRange] = {}
    for part in ranges:
        batch = state.batches[part.batch]
        assert batch is not None, part
        for sscc in packed_in(batch, part) if batch.packed else ():
            found.setdefault(outermost(state, sscc), part)
    return found


def outermost(state: State, sscc: str) -> str:
    """Return the outermost case around a case, or the case itself if there is none around it."""
    while (case := state.cases[sscc]) is not None and case.outer:
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
    """Refuse units that were under a recall at that time."""
    for part in ranges:
        batch = state.batches[part.batch]
        assert batch is not None, part
        for position, recall in batch.recalls.items():
            if recall.holds_at(occurred_at):
                for recalled in common(recall.ranges, part):
                    return refuse(Reason.UNITS_RECALLED, range=recalled, recall=position)
    return None


def refuse_before_made(state: State, ranges: Ranges, occurred_at: int) -> Refusal | None:
    """Refuse a time before a batch was made."""
    for part in ranges:
        number, batch = part.batch, state.batches[part.batch]
        assert batch is not None, part
        made_on = batch.commissioned.made_on
        if not made_before(made_on, occurred_at):
            return refuse(
                Reason.OCCURRED_BEFORE_MADE, occurred_at=utc(occurred_at), batch=number, made_on=made_on
            )
    return None


def refuse_move(state: State, ranges: Ranges, owner: str, occurred_at: int) -> Refusal | None:
    """Refuse to move the title of units. The checks are the owner, the state, whole cases, recalls, and the time."""
    return (
        refuse_unless(state, ranges, refuse_others(owner))
        or refuse_broken_cases(state, ranges)
        or refuse_recalled(state, ranges, occurred_at)
        or refuse_before_made(state, ranges, occurred_at)
    )


def covers(ranges: Ranges, contents: Ranges) -> bool:
    """Tell whether the ranges hold all of the contents."""
    return all(holds(ranges, part) for part in contents)
