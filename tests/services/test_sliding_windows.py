"""Rates: what a key may do in a time, and how long it has to wait otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.services.sliding_windows import Rate, SlidingWindow, parse_rate

MOMENT = 1e-6
"""A time (seconds) that is longer than the rounding of the clock, and too short for anything else."""


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_003.5

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/minute", Rate(60, 60, "60 per 1 minute")),
        ("5/2 seconds", Rate(5, 2, "5 per 2 second")),
        (" 7 per hour ", Rate(7, 3_600, "7 per 1 hour")),
        ("1 PER 3 Days", Rate(1, 3 * 86_400, "1 per 3 day")),
        ("0/minute", Rate(0, 60, "0 per 1 minute")),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    """A rate is a number for a time, in one of two ways to write it."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "60", "many", "-1/minute", "1/fortnight", "1/0 seconds", "1/1.5 hours", "٣/hour"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    """The message shows what was written, and how a rate looks."""
    with pytest.raises(ValueError, match="60/minute"):
        parse_rate(text)


@given(
    st.integers(1, 20),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 150), st.integers(1, 5)), max_size=60),
)
def test_a_key_never_does_more_than_its_rate_and_waits_no_longer_than_it_must(
    amount: int, seconds: int, steps: list[tuple[float, int]]
) -> None:
    """In each window of the clock it does at most the amount. After the time that it was told it may go on."""
    clock = Clock()
    window = SlidingWindow(Rate(amount, seconds, ""), clock)
    done: dict[int, int] = {}
    for after, count in steps:
        clock.now += after
        expected = window.wait_s("key", count)
        wait = window.take("key", count)
        assert wait == expected, "only what is taken counts"
        if count > amount:
            assert wait == seconds
            continue
        if wait:
            assert wait <= 2 * seconds
            clock.now += max(0.0, wait - MOMENT)
            assert window.wait_s("key", count) > 0
            clock.now += 2 * MOMENT
            assert window.take("key", count) == 0
        present = int(clock.now // seconds)
        done[present] = done.get(present, 0) + count
    assert all(count <= amount for count in done.values())
    assert window.wait_s("another key", min(amount, 5)) == 0


def test_the_window_before_counts_by_the_part_that_is_left_of_it() -> None:
    """After a quarter of a window, three quarters of what was done in the one before count."""
    clock = Clock()
    window = SlidingWindow(Rate(8, 10, ""), clock)
    clock.now = 1_009.0
    assert window.take("key", 8) == 0
    clock.now = 1_012.5
    assert window.wait_s("key", 2) == 0
    assert window.wait_s("key", 3) == pytest.approx(1.25)
    assert window.take("key", 2) == 0
    assert window.wait_s("key") == pytest.approx(1.25)
    clock.now = 1_030.0
    assert window.take("key", 8) == 0, "what is two windows ago does not count"


def test_keys_are_forgotten_that_did_nothing_for_two_windows() -> None:
    """A flood from many addresses leaves nothing behind."""
    clock = Clock()
    window = SlidingWindow(Rate(8, 10, ""), clock)
    for number in range(1_000):
        window.take(f"address {number}")
    clock.now += 20
    window.take("key")
    assert (len(window._present), len(window._before)) == (1, 0)
