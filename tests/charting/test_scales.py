"""Axes begin at 0, go on in steps that people count in, and end at or above the highest value."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pathbook.charting import scales
from pathbook.ledger import money
from pathbook.ledger.values import Price


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**15, max_denominator=10**6), st.booleans())
def test_an_axis_covers_its_values(most: Fraction, whole: bool) -> None:
    """An axis has at most six steps of 1, 2 or 5 times a power of ten, and the last covers the highest value."""
    found = scales.ticks(most, whole=whole)
    each = found[1] - found[0]
    assert found[0] == 0
    assert found[-2] < most <= found[-1]
    assert len(found) - 1 <= scales.MOST_STEPS
    digits = f"{each.numerator * 10**9 // each.denominator}".rstrip("0")
    assert digits in ("1", "2", "5")
    if whole:
        assert each.denominator == 1
    elif most > 1:
        assert each * scales.MOST_STEPS <= most * Fraction(5, 2) + each, "no step is much too large"


def test_an_axis_of_nothing_has_one_step() -> None:
    """If all values are 0 there is still an axis."""
    assert scales.ticks(Fraction(0)) == [0, 1]


def test_amounts_are_exact() -> None:
    """A label has as many decimals as its amount needs."""
    assert scales.print_minor(Fraction(15_000), "CNY") == "150.00"
    assert scales.print_minor(Fraction(5, 10), "CNY") == "0.005"
    assert scales.print_minor(Fraction(20), "JPY") == "20"
    third = Fraction(1, 3)
    assert scales.print_minor(third, "CNY") == money.print_number(Price(1, "CNY", 3))
