"""Arithmetic of ranges of units. Results are sorted and disjoint, and adjacent ranges are joined."""

from bisect import bisect_right
from collections.abc import Iterable

from pathbook.ledger.values import Ranges, Unit, UnitRange


def joined(ranges: Iterable[UnitRange]) -> Ranges | Unit:
    """Return the ranges in order, with adjacent ones joined. If two of them overlap, return a unit that both hold."""
    result: list[UnitRange] = []
    for item in sorted(ranges):
        before = result[-1] if result and result[-1].batch == item.batch else None
        if before is not None and item.first <= before.last:
            return Unit(item.batch, item.first)
        if before is not None and item.first == before.last + 1:
            result[-1] = UnitRange(item.batch, before.first, item.last)
        else:
            result.append(item)
    return tuple(result)


def union(ranges: Iterable[UnitRange]) -> Ranges:
    """Return the units of ranges that may overlap, sorted and with adjacent ranges joined."""
    result: list[UnitRange] = []
    for item in sorted(ranges):
        before = result[-1] if result and result[-1].batch == item.batch else None
        if before is not None and item.first <= before.last + 1:
            result[-1] = UnitRange(item.batch, before.first, max(before.last, item.last))
        else:
            result.append(item)
    return tuple(result)


def count_units(ranges: Iterable[UnitRange]) -> int:
    """Return the number of units in all ranges together."""
    return sum(item.last - item.first + 1 for item in ranges)


def common(ranges: Ranges, part: UnitRange) -> list[UnitRange]:
    """Return the units that the part has in common with the ranges, which are sorted and disjoint."""
    found = []
    start = bisect_right(ranges, (part.batch, part.first), key=lambda item: (item.batch, item.first)) - 1
    for item in ranges[max(start, 0) :]:
        if (item.batch, item.first) > (part.batch, part.last):
            break
        if item.batch == part.batch and item.last >= part.first:
            found.append(UnitRange(part.batch, max(item.first, part.first), min(item.last, part.last)))
    return found


def holds(ranges: Ranges, part: UnitRange) -> bool:
    """Tell whether every unit of the part is in the ranges, which are sorted and disjoint."""
    return count_units(common(ranges, part)) == part.count


def range_of(ranges: Ranges, unit: Unit) -> UnitRange | None:
    """Return the range that holds a unit, or None if no range does."""
    for part in ranges:
        if part.batch == unit.batch and part.first <= unit.number <= part.last:
            return part
    return None


def without(ranges: Ranges, removed: Ranges) -> Ranges:
    """Return the ranges without the removed units. Both arguments are sorted and disjoint."""
    result = []
    for item in ranges:
        first = item.first
        for gap in common(removed, item):
            if gap.first > first:
                result.append(UnitRange(item.batch, first, gap.first - 1))
            first = gap.last + 1
        if first <= item.last:
            result.append(UnitRange(item.batch, first, item.last))
    return tuple(result)


def last_units(ranges: Ranges, count: int) -> Ranges:
    """Return the last ``count`` units of the ranges, which hold at least as many."""
    taken: list[UnitRange] = []
    for item in reversed(ranges):
        if count <= 0:
            break
        taken.append(UnitRange(item.batch, max(item.first, item.last - count + 1), item.last))
        count -= taken[-1].count
    return tuple(reversed(taken))
