"""Axes of numbers: steps that people count in, and prices as their labels."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from pathbook.ledger.money import print_number
from pathbook.ledger.values import Price

MOST_STEPS: Final = 6
"""The most steps of an axis of prices or units."""

_COUNTED_IN: Final = (1, 2, 5)


def step(most: Fraction, *, whole: bool = False, steps: int = MOST_STEPS) -> Fraction:
    """Return the least of 1, 2, 5, 10, 20 ... of which so many reach ``most``. Unless ``whole``, also 0.5 ..."""
    if most <= 0:
        return Fraction(1)
    digits = len(str(most.numerator)) - len(str(most.denominator)) - 2
    return next(
        found
        for found in _ascending(0 if whole else digits)
        if found * steps >= most and (found >= 1 or not whole)
    )


def ticks(most: Fraction, *, whole: bool = False, steps: int = MOST_STEPS) -> list[Fraction]:
    """Return the values of an axis from 0 to the first step that is not below ``most``."""
    each = step(most, whole=whole, steps=steps)
    count = max(1, -(-most // each))
    return [each * number for number in range(count + 1)]


def print_minor(amount: Fraction, currency_code: str) -> str:
    """Return an exact amount of minor units as decimal text without its currency."""
    per_units = next(
        (10**digits for digits in range(7) if (amount * 10**digits).denominator == 1), amount.denominator
    )
    return print_number(Price(int(amount * per_units), currency_code, per_units))


def _ascending(digits: int) -> Iterator[Fraction]:
    for power in itertools.count(digits):
        for first in _COUNTED_IN:
            yield Fraction(first * 10**power) if power >= 0 else Fraction(first, 10**-power)
