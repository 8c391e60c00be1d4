"""Quantities: which units of a batch or product a number means, when the request does not name them."""

import datetime
from collections.abc import Iterable, Iterator
from heapq import heappop, heapreplace
from typing import Final

import msgspec

from pathbook.ledger.ranges import count_units, union, without
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.budget import QUANTITIES, RECALLS, Budget
from pathbook.ledger.rules.goods import Batch, packed_count, packed_within
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.times import last_moment
from pathbook.ledger.run import Run
from pathbook.ledger.runs import Partition
from pathbook.ledger.spans import STOCK_RUNS_AT_ONCE_MAX, PartialPartition, StockNotLoadedError
from pathbook.ledger.values import Quantity, Ranges, UnitRange, UnitState, gtin14, is_consumer, is_owner

BATCH_STEPS: Final = 5
"""How many steps a quantity spends on each batch that it opens: its recalls, its dates, and its first units."""

BATCHES_FOR_ONE: Final = 4
"""For how many batches that were looked at the runs of one more are loaded, if a quantity needs more."""

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
        self._unloaded: list[StockNotLoadedError] = []

    def take(self, quantities: Iterable[Quantity]) -> list[UnitRange] | Refusal:
        """Take quantities of loose, free units, one after the other.

        Raises StockNotLoadedError with all runs that were looked for and are not loaded. Whatever came out without
        them, units or a refusal, is no answer.
        """
        taken: list[UnitRange] = []
        try:
            for quantity in quantities:
                found = self._take(quantity)
                if isinstance(found, Refusal):
                    return found
                taken += found
        finally:
            self._shelves.clear()  # each has an iterator of this object: without cycles, nothing waits to be collected
            if self._unloaded:
                first, *others = self._unloaded
                for other in others:
                    first.add(other)
                raise first
        return taken

    def _take(self, quantity: Quantity) -> list[UnitRange] | Refusal:
        """Take a quantity, or what of it is loaded."""
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
        wanted, begun = quantity.count, len(self._unloaded)
        while (shelf := self._next(origin, begun, wanted)) is not None:
            taken.append(shelf.take(wanted))
            wanted -= taken[-1].count
            if wanted == 0:
                return taken
        if self._unloaded:
            return taken  # what is not loaded may meet it
        return refuse(
            Reason.STOCK_TOO_SMALL,
            party=self._pick.owner,
            available=quantity.count - wanted,
            what=f"batch {origin}" if quantity.batch else f"product {origin}",
            count=quantity.count,
            **_passed_over(state, origin, self._pick, self._unloaded),
        )

    def _may_wait(self, begun: int, wanted: int) -> bool:
        """Tell whether the runs that this quantity found unloaded may well meet what it still wants.

        The more batches were looked at, the more are asked for at once. What a consumer bought first is only known
        when all is loaded.
        """
        if len(self._unloaded) == begun:
            return False
        unloaded = self._unloaded[begun:]
        count = sum([error.count for error in unloaded])
        if count >= STOCK_RUNS_AT_ONCE_MAX or is_consumer(self._pick.owner):
            return count >= STOCK_RUNS_AT_ONCE_MAX
        return count >= wanted and BATCHES_FOR_ONE * len(unloaded) >= len(self._shelves)

    def _next(self, origin: int | str, begun: int, wanted: int) -> _Shelf | None:
        """Return the shelf from which a batch (by number) or product (by GTIN) is taken next, or None."""
        if origin not in self._waiting:
            self._waiting[origin] = self._beginning(origin)
        waiting, by_sale = self._waiting[origin], is_consumer(self._pick.owner)
        while waiting and not self._may_wait(begun, wanted):
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
        found = self._held(_partition(self._state, number).in_stock(self._pick.owner))
        if is_consumer(self._pick.owner):
            return iter(sorted(found, key=_by_sale))
        return found

    def _held(self, runs: Iterator[Run]) -> Iterator[Run]:
        try:
            for run in runs:
                self._budget.spend(2, QUANTITIES)
                confirmed = self._pick.confirming and run.state is UnitState.CONFIRMED
                if _is_meant(self._pick, run) and not confirmed:
                    yield run
        except StockNotLoadedError as error:
            self._unloaded.append(error)


def _partition(state: State, number: int) -> Partition:
    """Return the runs of a batch. At first, none of them may be loaded."""
    return state.partitions.get(number) or PartialPartition(number, ())


def _by_sale(run: Run) -> tuple[int, int]:
    return run.transfer, run.first


def _passed_over(
    state: State, origin: int | str, pick: Pick, unloaded: list[StockNotLoadedError]
) -> dict[str, int | str]:
    """Count the owner's units that a quantity does not take, each once: expired, recalled, reserved, in cases.

    The counting ends where the budget does. It then says that there are at least as many. Runs that must be loaded
    first are added to ``unloaded``.
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
        partition = _partition(state, number)
        is_whole = budget.left >= len(partition.runs)
        if not is_whole or sum([error.count for error in unloaded]) >= STOCK_RUNS_AT_ONCE_MAX:
            break
        budget.spend(len(partition.runs), QUANTITIES)  # to find those of the owner
        try:
            is_whole = _count(batch, partition.owned_by(pick.owner), recalled, state.budget, pick, counts)
        except StockNotLoadedError as error:
            unloaded.append(error)
    return {name: count if is_whole else f"at least {count}" for name, count in counts.items()}


def _count(
    batch: Batch, runs: Iterator[Run], recalled: Ranges, budget: Budget, pick: Pick, counts: dict[str, int]
) -> bool:
    """Add what a quantity does not take of runs to the counts. Tell whether the budget was enough for all of them."""
    for run in runs:
        whole = UnitRange(batch.commissioned.batch, run.first, run.last)
        steps = 2 + packed_count(batch, whole)
        if budget.left < steps:
            return False
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
    return True


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
