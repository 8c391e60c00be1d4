"""Times in the rules: microseconds since 1970 UTC, and dates, which begin first at UTC+14 and end last at UTC-12."""

import datetime

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.values import CLOCK_TOLERANCE, EARLIEST_ZONE, LATEST_ZONE

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)
_EARLIEST = EARLIEST_ZONE // _MICROSECOND
_LATEST = LATEST_ZONE // _MICROSECOND
_TOLERANCE = CLOCK_TOLERANCE // _MICROSECOND
_DAY = datetime.timedelta(days=1) // _MICROSECOND
_EPOCH_DAY = _EPOCH.toordinal()


def utc(moment: int) -> str:
    """Return a time (microseconds since 1970 UTC) as text for people."""
    return (_EPOCH + moment * _MICROSECOND).isoformat(timespec="seconds").replace("+00:00", "Z")


def first_moment(day: datetime.date) -> int:
    """Return when a date first begins on earth, in microseconds since 1970 UTC."""
    return (day.toordinal() - _EPOCH_DAY) * _DAY - _EARLIEST


def last_moment(day: datetime.date) -> int:
    """Return when a date has ended everywhere on earth, in microseconds since 1970 UTC. It ends last at UTC-12."""
    return (day.toordinal() - _EPOCH_DAY + 1) * _DAY + _LATEST


def made_before(made_on: datetime.date, occurred_at: int) -> bool:
    """Tell whether goods that were made on a date can have existed at a time."""
    return first_moment(made_on) <= occurred_at


def refuse_future(occurred_at: int, now: int) -> Refusal | None:
    """Refuse a time that is ahead of the book's clock by more than CLOCK_TOLERANCE."""
    if occurred_at > now + _TOLERANCE:
        return refuse(Reason.OCCURRED_IN_FUTURE, occurred_at=utc(occurred_at), now=utc(now))
    return None
