"""Times as text, for sentences about the clock."""

import datetime
from typing import Final

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000


def shown(time: int) -> str:
    """Return a time (microseconds since 1970 UTC) to the second, as 2026-02-28T12:00:00Z."""
    try:
        return (_EPOCH + datetime.timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"{time} microseconds since 1970"


def span(time: int, other: int) -> str:
    """Return how far a time is from another one, and on which side: "3652 days after", "25 hours before"."""
    distance = abs(time - other)
    side = "after" if time >= other else "before"
    if distance < 2 * DAY_US:
        return f"{distance // _HOUR_US} hours {side}"
    return f"{distance // DAY_US} days {side}"
