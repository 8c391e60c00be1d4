"""Arithmetic of ranges of units. Results are sorted and disjoint, and adjacent ranges are joined."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

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
    return sum([item.last - item.first + 1 for item in ranges])


def common(one: Ranges, other: Ranges) -> Iterator[UnitRange]:
    """Yield the units that both have, in order. Both arguments are sorted and disjoint.

    What only the longer one has is skipped by a search. So the cost grows with the shorter one, and with what is found.
    """
    mine = theirs = 0
    while mine < len(one) and theirs < len(other):
        left, right = one[mine], other[theirs]
        if left.batch < right.batch or (left.batch == right.batch and left.last < right.first):
            mine = _place(one, right, mine + 1)
        elif right.batch < left.batch or right.last < left.first:
            theirs = _place(other, left, theirs + 1)
        else:
            yield UnitRange(left.batch, max(left.first, right.first), min(left.last, right.last))
            if left.last <= right.last:
                mine += 1
            else:
                theirs += 1


def _place(ranges: Ranges, part: UnitRange, start: int) -> int:
    """Return the place of the first range, from a place on, that does not end before the part begins."""
    if start < len(ranges) and _end(ranges[start]) >= (part.batch, part.first):
        return start  # in two long lists, it is usually the next one
    return bisect_left(ranges, (part.batch, part.first), start, key=_end)


def _end(part: UnitRange) -> tuple[int, int]:
    return part.batch, part.last


def holds(ranges: Ranges, part: UnitRange) -> bool:
    """Tell whether every unit of the part is in the ranges, which are sorted and disjoint."""
    return count_units(common(ranges, (part,))) == part.count


def covers(ranges: Ranges, contents: Ranges) -> bool:
    """Tell whether the ranges hold all of the contents. Both arguments are sorted and disjoint."""
    return count_units(common(ranges, contents)) == count_units(contents)


def range_of(ranges: Ranges, unit: Unit) -> UnitRange | None:
    """Return the range that holds a unit, or None if no range does."""
    for part in ranges:
        if part.batch == unit.batch and part.first <= unit.number <= part.last:
            return part
    return None


def without(ranges: Ranges, removed: Ranges) -> Ranges:
    """Return the ranges without the removed units. Both arguments are sorted and disjoint."""
    result: list[UnitRange] = []
    done = 0  # the ranges before this place are in the result
    rest: UnitRange | None = None  # what is left of the range before that place
    for gap in common(ranges, removed):
        if rest is None or gap.batch != rest.batch or gap.last > rest.last:
            if rest is not None:
                result.append(rest)
            place = _place(ranges, gap, done)
            result += ranges[done:place]
            done, rest = place + 1, ranges[place]
        if rest.first < gap.first:
            result.append(UnitRange(gap.batch, rest.first, gap.first - 1))
        rest = UnitRange(gap.batch, gap.last + 1, rest.last) if gap.last < rest.last else None
    if rest is not None:
        result.append(rest)
    result += ranges[done:]
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
