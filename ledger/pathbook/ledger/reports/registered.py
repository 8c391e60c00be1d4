"""What the answers of reports need of the registers: batches and authorizations, and the line below a party."""

import datetime
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from pathbook.ledger.values import Price

DAY_US = 86_400_000_000
"""A day in microseconds. Days of reports are counted from 1970-01-01 UTC."""

EPOCH = datetime.date(1970, 1, 1)
"""The day 0 of reports."""


def day_number(day: datetime.date) -> int:
    """Return the number of a day: 0 is 1970-01-01."""
    return (day - EPOCH).days


def day_of(number: int) -> datetime.date:
    """Return the day with a number."""
    return EPOCH + datetime.timedelta(number)


def month_of(time: int) -> int:
    """Return the number of the month of a time in microseconds since 1970 UTC: 0 is January 1970, in UTC."""
    return _month_of_day(time // DAY_US)


@lru_cache(1_000)
def _month_of_day(number: int) -> int:
    day = day_of(number)
    return 12 * (day.year - EPOCH.year) + day.month - EPOCH.month


class Batch(msgspec.Struct, frozen=True):
    """A batch as corrected last."""

    product: str
    brand: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None
    suggested: Price


class Authorization(msgspec.Struct, frozen=True):
    """An authorization. ``position`` is its id. Times are in microseconds since 1970 UTC.

    No ``products`` means all of them. ``ends_at`` is None if it neither expires nor was revoked. Else it is the earlier
    of both.
    """

    position: int
    upline: str
    party: str
    tier: int
    products: tuple[str, ...]
    region: str
    valid_from: int
    ends_at: int | None

    def is_in_force(self, at: int) -> bool:
        """Tell whether the upline's word counts at a time. Whether the upline is authorized is another question."""
        return self.valid_from <= at and (self.ends_at is None or at < self.ends_at)


def line_below(authorizations: Iterable[Authorization], organizer: str, at: int) -> dict[str, int]:
    """Return every party below an organizer at a time, with the fewest authorizations that lead to it: 1, 2, 3 ..."""
    below = _downlines(authorizations, at)
    levels: dict[str, int] = {}
    pending = deque([(organizer, 0)])
    while pending:
        upline, level = pending.popleft()
        for party in below.get(upline, ()):
            if party not in levels and party != organizer:
                levels[party] = level + 1
                pending.append((party, level + 1))
    return levels


def without_line(
    authorizations: Iterable[Authorization], organizer: str, brands: Iterable[str], at: int
) -> set[str]:
    """Return the parties below an organizer that no other line leads to from a brand: they stop when it stops."""
    given = [item for item in authorizations if organizer not in (item.upline, item.party)]
    held: set[str] = set()
    for brand in brands:
        held.update(line_below(given, brand, at))
    return {party for party in line_below(authorizations, organizer, at) if party not in held}


def _downlines(authorizations: Iterable[Authorization], at: int) -> Mapping[str, list[str]]:
    below: defaultdict[str, list[str]] = defaultdict(list)
    for item in authorizations:
        if item.is_in_force(at):
            below[item.upline].append(item.party)
    return below
