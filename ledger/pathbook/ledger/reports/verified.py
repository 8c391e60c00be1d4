"""Verifications: how often printed codes were asked about, by day, and which of them unusually often.

A label can be copied, and each copy leads to the path of the genuine unit. Then many buyers ask about one unit. The
counts are of answers to calls. They are no events, and no count says who asked, or where.
"""

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger.reports.registered import day_of

PUBLIC: Final = "public"
"""The class of callers of which nothing is known: buyers, and every caller of an open server."""

OTHER_UNITS: Final = -1
"""Stands for further units of a batch, of which too many were asked about at one time to count each."""

RULE_NAME: Final = "verified-often"
RULE_VERSION: Final = 1


class VerifiedRow(NamedTuple):
    """How often a unit was verified on a day, in days since 1970 UTC, by callers of a class."""

    batch: int
    number: int
    day: int
    kind: str
    times: int


class OftenRule(msgspec.Struct, frozen=True):
    """From how many verifications by the public on a unit stands out, in the days that are asked about.

    Attributes:
        times_min: at least so many.
        times_median: and at least so many times the median of the other units of its batch that were verified at all.
    """

    times_min: int = 20
    times_median: int = 10


class DayOfVerifications(msgspec.Struct, frozen=True):
    """How often codes were verified on a day, by class of caller."""

    day: datetime.date
    times: dict[str, int]


class OftenVerified(msgspec.Struct, frozen=True):
    """A unit that the public verified unusually often. It is a sign that a person should look at, and no verdict.

    Attributes:
        batch, number: the unit.
        times: how often the public verified it.
        median: how often the public verified the other units of its batch that it verified at all, in the middle. 0 if
            it verified no other.
        days: on how many days.
        first_day, last_day: the first of these days, and the last one.
        sentence: what the rule says.
    """

    batch: int
    number: int
    times: int
    median: int
    days: int
    first_day: datetime.date
    last_day: datetime.date
    sentence: str


class Often(msgspec.Struct, frozen=True):
    """The rule of units that were verified unusually often, with its parameters."""

    name: str
    version: int
    times_min: int
    times_median: int


class Verified(msgspec.Struct, frozen=True):
    """Verifications by day, and the units that were verified unusually often, most often first.

    Attributes:
        days: the days on which there were any, in order.
        units_verified: how many units were verified at all.
        units: those that stand out. ``left_out`` counts those that are not shown.
        left_out: how many are not shown.
        rule: what makes a unit stand out.
        partial_through: the last of the days that were asked about of which counts of the book went, because there were
            too many. Of it and the days before it the lowest counts are missing, or all. None if all are there.
    """

    days: list[DayOfVerifications]
    units_verified: int
    units: list[OftenVerified]
    left_out: int
    rule: Often
    partial_through: datetime.date | None = None


def verified(rows: Iterable[VerifiedRow], rule: OftenRule, limit: int, number: int | None = None) -> Verified:
    """Return what rows say of verifications.

    Args:
        rows: the counts of whole batches, because a unit is compared with the others of its batch.
        rule: from how many on a unit stands out.
        limit: how many units are shown at most.
        number: of the units with this number alone, if it is given.
    """
    by_day: defaultdict[int, Counter[str]] = defaultdict(Counter)
    by_unit: defaultdict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    units: set[tuple[int, int]] = set()
    for row in rows:
        if number is None or row.number == number:
            by_day[row.day][row.kind] += row.times
        if row.number != OTHER_UNITS:
            units.add((row.batch, row.number))
            if row.kind == PUBLIC:
                by_unit[row.batch, row.number][row.day] += row.times
    totals: defaultdict[int, list[int]] = defaultdict(list)
    for (batch, _), days in by_unit.items():
        totals[batch].append(days.total())
    for times in totals.values():
        times.sort()
    often = []
    for unit, days in by_unit.items():
        total, median = days.total(), _median_without(totals[unit[0]], days.total())
        if number in (None, unit[1]) and total >= max(rule.times_min, rule.times_median * median):
            often.append(_often(unit, days, median))
    often.sort(key=lambda found: (-found.times, found.batch, found.number))
    return Verified(
        days=[DayOfVerifications(day_of(day), dict(sorted(by_day[day].items()))) for day in sorted(by_day)],
        units_verified=sum(1 for unit in units if number in (None, unit[1])),
        units=often[:limit],
        left_out=max(0, len(often) - limit),
        rule=Often(RULE_NAME, RULE_VERSION, rule.times_min, rule.times_median),
    )


def _median_without(times: list[int], own: int) -> int:
    """Return the lower median of sorted numbers without one of them, 0 if there is no other.

    A unit is compared with others. If the only unit that was verified of a batch counted, none could be so often.
    """
    if len(times) == 1:
        return 0
    middle = (len(times) - 2) // 2
    return times[middle + 1] if own <= times[middle] else times[middle]


def _often(unit: tuple[int, int], days: Counter[int], median: int) -> OftenVerified:
    batch, number = unit
    times, on = days.total(), "1 day" if len(days) == 1 else f"{len(days)} days"
    return OftenVerified(
        batch=batch,
        number=number,
        times=times,
        median=median,
        days=len(days),
        first_day=day_of(min(days)),
        last_day=day_of(max(days)),
        sentence=(
            f"Unit {batch}:{number} was verified {times:,} times on {on}, and other units of its batch {median:,}"
            " times in the middle. Its code may have been copied, or one buyer is curious."
        ),
    )
