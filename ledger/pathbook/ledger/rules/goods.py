"""Goods as a state holds them: products, batches, recalls and cases, and what packing and unpacking changes."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.values import Ranges, UnitRange

INSERTED_MAX_RANGES: Final = 8
"""How many packed ranges are inserted or deleted one by one. Each shifts those behind it. More are merged, once."""

_FIRST: Final = itemgetter(0)


class Product(msgspec.Struct, frozen=True):
    """A product as registered, and the position of its registration."""

    registered: events.ProductRegistered
    position: int


class Recall(msgspec.Struct):
    """A recall of units of a batch: its ranges, from when it holds, and until when. None means that it still holds.

    Times are in microseconds since 1970 UTC.
    """

    ranges: Ranges
    since: int
    until: int | None = None

    def holds_at(self, moment: int) -> bool:
        """Tell whether the recall was in force at a time."""
        return self.since <= moment and (self.until is None or moment < self.until)


class Batch(msgspec.Struct):
    """A batch: its commissioning, its ranges that are packed in cases, and its recalls by position."""

    commissioned: events.BatchCommissioned
    packed: list[tuple[int, int, str]]
    recalls: dict[int, Recall]


class Case(msgspec.Struct):
    """A packed case: its loose units, the cases in it, the party that packed it, and the case around it or ""."""

    ranges: Ranges
    cases: tuple[str, ...]
    packer: str
    outer: str = ""


def pack(cases: dict[str, Case | None], batches: dict[int, Batch | None], event: events.CasePacked) -> None:
    """Add a case, as far as its parts are loaded."""
    cases[event.sscc] = Case(event.ranges, event.cases, event.party)
    for sscc in event.cases:
        if (inner := cases.get(sscc)) is not None:
            inner.outer = event.sscc
    by_batch: dict[int, list[tuple[int, int, str]]] = {}
    for part in event.ranges:
        by_batch.setdefault(part.batch, []).append((part.first, part.last, event.sscc))
    for number, added in by_batch.items():
        if (batch := batches.get(number)) is None:
            continue
        if len(added) <= INSERTED_MAX_RANGES:
            for item in added:
                insort(batch.packed, item)
        else:
            batch.packed += added
            batch.packed.sort()  # it merges two sorted lists in one pass


def unpack(cases: dict[str, Case | None], batches: dict[int, Batch | None], unpacked: Iterable[str]) -> None:
    """Remove cases. Their units, and the cases in them, are loose."""
    gone: dict[int, list[tuple[int, int, str]]] = {}
    for sscc in unpacked:
        case, cases[sscc] = cases.get(sscc), None
        if case is None:
            _unpack_unknown(cases, batches, sscc)
            continue
        for name in case.cases:
            if (inner := cases.get(name)) is not None and inner.outer == sscc:
                inner.outer = ""
        for part in case.ranges:
            gone.setdefault(part.batch, []).append((part.first, part.last, sscc))
    for number, removed in gone.items():
        if (batch := batches.get(number)) is None:
            continue
        if len(removed) <= INSERTED_MAX_RANGES:
            for item in removed:
                del batch.packed[bisect_left(batch.packed, item)]
        else:
            loose = set(removed)
            batch.packed = [item for item in batch.packed if item not in loose]


def _unpack_unknown(cases: dict[str, Case | None], batches: dict[int, Batch | None], sscc: str) -> None:
    """Remove a case that is not loaded from the cases and the batches that are."""
    for inner in cases.values():
        if inner is not None and inner.outer == sscc:
            inner.outer = ""
    for batch in batches.values():
        if batch is not None:
            batch.packed = [item for item in batch.packed if item[2] != sscc]


def packed_in(batch: Batch, part: UnitRange) -> set[str]:
    """Return the cases that directly hold units of the part, which is of this batch."""
    return {sscc for _, _, sscc in _packed(batch, part)}


def packed_within(batch: Batch, part: UnitRange) -> Ranges:
    """Return the packed ranges that hold units of the part, which is of this batch, in order."""
    return tuple([UnitRange(part.batch, first, last) for first, last, _ in _packed(batch, part)])


def packed_count(batch: Batch, part: UnitRange) -> int:
    """Return how many packed ranges ``packed_in`` and ``packed_within`` look at."""
    place = _place(batch, part)
    return int(place.stop - place.start)


def _packed(batch: Batch, part: UnitRange) -> list[tuple[int, int, str]]:
    return [item for item in batch.packed[_place(batch, part)] if item[1] >= part.first]


def _place(batch: Batch, part: UnitRange) -> slice:
    start = bisect_right(batch.packed, part.first, key=_FIRST) - 1
    return slice(max(start, 0), bisect_right(batch.packed, part.last, key=_FIRST))
