"""Quantities: which units of a batch or product a number means, when the request does not name them."""

import datetime
from collections.abc import Iterator
from heapq import heappop, heapreplace
from typing import Final

import msgspec

from pathbook.ledger.ranges import count_units, union, without
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.budget import QUANTITIES, RECALLS
from pathbook.ledger.rules.goods import Batch, packed_count, packed_within
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.times import last_moment
from pathbook.ledger.runs import Run
from pathbook.ledger.values import Quantity, Ranges, UnitRange, UnitState, gtin14, is_consumer, is_owner

BATCH_STEPS: Final = 5
"""How many steps a quantity spends on each batch that it opens: its recalls, its dates, and its first units."""

_HELD: Final = frozenset({UnitState.IN_STOCK, UnitState.SOLD, UnitState.CONFIRMED})


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


class _Shelf:
    """The free units of one batch, in the order in which quantities take them."""

    def __init__(self, free: Iterator[tuple[int, UnitRange]]) -> None:
        """Begin with the first part. Each part comes with the transfer that brought it."""
        self._free = free
        self.next = next(free, None)

    def take(self, most: int) -> UnitRange:
        """Take units of the next part, at most so many. There must be a next part."""
        assert self.next is not None
        transfer, part = self.next
        if part.count <= most:
            self.next = next(self._free, None)
            return part
        self.next = transfer, UnitRange(part.batch, part.first + most, part.last)
        return UnitRange(part.batch, part.first, part.first + most - 1)


class Shelves:
    """What the quantities of one request may take. Each quantity goes on where the one before it stopped.

    A stock is taken in the order of its batches: what expires first, then what was made first, lowest number first.
    What a consumer has bought is taken in the order of the sales.
    """

    def __init__(self, state: State, pick: Pick, named: Ranges) -> None:
        """Take units for a request that names these ranges, too. A quantity takes none of them."""
        self._state, self._pick, self._budget = state, pick, state.budget
        self._named: dict[int, list[UnitRange]] = {}
        for part in named:
            self._named.setdefault(part.batch, []).append(part)
        self._shelves: dict[int, _Shelf] = {}
        self._waiting: dict[int | str, list[tuple[tuple[int, int, int], int]]] = {}

    def take(self, quantity: Quantity) -> list[UnitRange] | Refusal:
        """Take a quantity of loose, free units."""
        state = self._state
        self._budget.spend(2, QUANTITIES)
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
        while (shelf := self._next(origin)) is not None:
            taken.append(shelf.take(wanted))
            wanted -= taken[-1].count
            if wanted == 0:
                return taken
        return refuse(
            Reason.STOCK_TOO_SMALL,
            party=self._pick.owner,
            available=quantity.count - wanted,
            what=f"batch {origin}" if quantity.batch else f"product {origin}",
            count=quantity.count,
            **_passed_over(state, origin, self._pick),
        )

    def _next(self, origin: int | str) -> _Shelf | None:
        """Return the shelf from which a batch (by number) or product (by GTIN) is taken next, or None."""
        if origin not in self._waiting:
            self._waiting[origin] = self._beginning(origin)
        waiting, by_sale = self._waiting[origin], is_consumer(self._pick.owner)
        while waiting:
            self._budget.spend(1, QUANTITIES)
            place, number = waiting[0]
            shelf = self._shelf(number)
            if shelf.next is None:
                heappop(waiting)
                continue
            transfer, part = shelf.next
            present = (transfer, number, part.first)
            if not by_sale or place == present:
                return shelf
            heapreplace(waiting, (present, number))  # units were taken from the shelf since
        return None

    def _beginning(self, origin: int | str) -> list[tuple[tuple[int, int, int], int]]:
        """Return the batches of an origin, each with its place: its rank, or the first of its units by their sales."""
        batches = _batches(self._state, origin, self._pick.owner)
        self._budget.spend(2 * len(batches), QUANTITIES)
        if is_consumer(self._pick.owner):
            return [((0, 0, 0), batch.commissioned.batch) for batch in batches]
        sound = [batch for batch in batches if not _is_expired(batch, self._pick)]
        return [((rank, 0, 0), batch.commissioned.batch) for rank, batch in enumerate(sound)]

    def _shelf(self, number: int) -> _Shelf:
        shelf = self._shelves.get(number)
        if shelf is None:
            self._budget.spend(BATCH_STEPS, QUANTITIES)
            batch = self._state.batches[number]
            assert batch is not None, number
            shelf = self._shelves[number] = _Shelf(self._free(batch))
        return shelf

    def _free(self, batch: Batch) -> Iterator[tuple[int, UnitRange]]:
        """Yield what quantities may take of a batch, with the transfers by which it came."""
        number, pick = batch.commissioned.batch, self._pick
        excluded = union([*self._named.get(number, ()), *_recalled(self._state, batch, pick)])
        for run in self._runs(number):
            whole = UnitRange(number, run.first, run.last)
            free: Ranges = (whole,)
            if batch.packed and not pick.confirming:
                self._budget.spend(packed_count(batch, whole), QUANTITIES)
                free = without(free, packed_within(batch, whole))
            if excluded:
                free = without(free, excluded)
                self._budget.spend(len(free), QUANTITIES)
            for part in free:
                yield run.transfer, part

    def _runs(self, number: int) -> Iterator[Run]:
        """Yield the runs of a batch that quantities may take, in the order in which they take them."""
        found = self._held(self._state.partitions[number].in_stock(self._pick.owner))
        if is_consumer(self._pick.owner):
            return iter(sorted(found, key=_by_sale))
        return found

    def _held(self, runs: Iterator[Run]) -> Iterator[Run]:
        for run in runs:
            self._budget.spend(2, QUANTITIES)
            confirmed = self._pick.confirming and run.state is UnitState.CONFIRMED
            if _is_meant(self._pick, run) and not confirmed:
                yield run


def _by_sale(run: Run) -> tuple[int, int]:
    return run.transfer, run.first


def _passed_over(state: State, origin: int | str, pick: Pick) -> dict[str, int | str]:
    """Count the owner's units that a quantity does not take, each once: expired, recalled, reserved, in cases.

    The counting ends where the budget does. It then says that there are at least as many.
    """
    counts = {"expired": 0, "recalled": 0, "reserved": 0, "packed": 0}
    budget, is_whole = state.budget, True
    for batch in _batches(state, origin, pick.owner):
        number = batch.commissioned.batch
        recalls = sum([1 + len(recall.ranges) for recall in batch.recalls.values()])
        is_whole = is_whole and budget.left >= BATCH_STEPS + recalls
        if not is_whole:
            break
        budget.spend(BATCH_STEPS, QUANTITIES)
        recalled = union(_recalled(state, batch, pick))
        partition = state.partitions[number]
        is_whole = budget.left >= len(partition.runs)
        if not is_whole:
            break
        budget.spend(len(partition.runs), QUANTITIES)  # to find those of the owner
        for run in partition.owned_by(pick.owner):
            whole = UnitRange(number, run.first, run.last)
            steps = 2 + packed_count(batch, whole)
            if budget.left < steps:
                is_whole = False
                break
            budget.spend(steps, QUANTITIES)
            if not _is_meant(pick, run):
                continue
            if run.state is UnitState.OFFERED:
                counts["reserved"] += whole.count
            elif run.state in _HELD and _is_expired(batch, pick):
                counts["expired"] += whole.count
            elif run.state in _HELD and not pick.confirming:
                sound = without((whole,), recalled)
                counts["recalled"] += whole.count - count_units(sound)
                loose = without(sound, packed_within(batch, whole))
                counts["packed"] += count_units(sound) - count_units(loose)
    return {name: count if is_whole else f"at least {count}" for name, count in counts.items()}


def _is_meant(pick: Pick, run: Run) -> bool:
    """Tell whether the right custodian has the units of a run, and whether they can go back if they have to."""
    return pick.custodian in ("", run.custodian) and (run.last_hop is not None or not pick.returning)


def _is_expired(batch: Batch, pick: Pick) -> bool:
    """Tell whether the units of a batch are passed over because they had expired everywhere on earth."""
    expires_on = batch.commissioned.expires_on
    return pick.onward_at is not None and expires_on is not None and last_moment(expires_on) <= pick.onward_at


def _recalled(state: State, batch: Batch, pick: Pick) -> list[UnitRange]:
    """Return the ranges that are passed over because of a recall. They may overlap."""
    moment = pick.onward_at if pick.delivered_at is None else pick.delivered_at
    if moment is None:
        return []
    found: list[UnitRange] = []
    for recall in batch.recalls.values():
        if recall.holds_at(moment):
            state.budget.spend(len(recall.ranges), RECALLS)
            found += recall.ranges
    state.budget.spend(len(batch.recalls), RECALLS)
    return found


def _batches(state: State, origin: int | str, owner: str) -> list[Batch]:
    """Return a batch by its number, or the batches of a product (by GTIN) in which an owner may have units.

    What expires first comes first, and of those what was made first. Units that never expire come last.
    """
    if isinstance(origin, int):
        only = state.batches[origin]
        return [] if only is None else [only]
    numbers = state.holdings.get((owner, origin), state.batches) if is_owner(owner) else ()
    loaded = [batch for number in numbers if (batch := state.batches[number]) is not None]
    batches = [batch for batch in loaded if batch.commissioned.product == origin]
    return sorted(batches, key=_first_to_expire)


def _first_to_expire(batch: Batch) -> tuple[datetime.date, datetime.date, int]:
    made = batch.commissioned
    return made.expires_on or datetime.date.max, made.made_on, made.batch
