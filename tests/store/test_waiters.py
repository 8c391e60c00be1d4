"""Callers wait for positions of the views, and get what concerns the position that they wait for."""

import pytest

from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.views.waiters import PositionWaiters


def _stopping() -> list[Exception]:
    return [NewerEventError(7, 99, "an event"), EventDamagedError("book", 7, "it is missing")]


@pytest.mark.parametrize("error", _stopping(), ids=lambda error: type(error).__name__)
def test_an_event_that_stops_the_views_fails_only_waits_from_its_position_on(error: Exception) -> None:
    """Positions before the event may still be reached, by another process."""
    waiters = PositionWaiters()
    before, at, after = (waiters.add("book", position) for position in (6, 7, 8))

    waiters.failed("book", error)

    assert at.exception(0) is error
    assert after.exception(0) is error
    assert not before.done()
    waiters.reached("book", 6)
    assert before.result(0) == 6


def test_any_other_error_fails_all_waits_for_the_book_and_none_for_others() -> None:
    """The error says nothing of other books."""
    waiters = PositionWaiters()
    waiting, other = waiters.add("book", 1), waiters.add("other", 1)
    error = OSError("the disk is gone")

    waiters.failed("book", error)

    assert waiting.exception(0) is error
    assert not other.done()
