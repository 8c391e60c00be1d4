"""Money is read and printed as decimal text, exactly."""

import contextlib

import pytest
from babel.numbers import list_currencies
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import money

CURRENCIES = st.sampled_from(sorted(list_currencies()))
AMOUNTS = st.integers(-(10**17), 10**17)


@given(AMOUNTS, CURRENCIES)
def test_what_is_printed_reads_back_exactly(amount_minor: int, currency_code: str) -> None:
    """Every amount in every currency comes back from its text as it was."""
    assert money.parse(money.print_money(amount_minor, currency_code)) == (amount_minor, currency_code)


@given(
    st.integers(0, 10**14 - 1),
    CURRENCIES,
    st.sampled_from(["{0} {1}", "{0}{1}", "{1} {0}", "{1}{0}", " {1}  {0} "]),
)
def test_the_order_of_amount_and_currency_does_not_matter(amount: int, code: str, form: str) -> None:
    """An amount in whole units reads the same on either side of its currency, with or without a blank."""
    assert money.parse(form.format(amount, code)) == (amount * 10 ** money.decimals(code), code)


@given(st.text())
def test_any_text_is_money_or_refused_by_name(text: str) -> None:
    """A text is refused with a reason, or it is read, printed and read back."""
    with contextlib.suppress(money.NotMoneyError):
        found = money.parse(text)
        assert money.parse(money.print_money(*found)) == found


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("150 CNY", (15_000, "CNY")),
        ("150.00CNY", (15_000, "CNY")),
        ("CNY 150", (15_000, "CNY")),
        ("150.5 cny", (15_050, "CNY")),
        ("0 CNY", (0, "CNY")),
        ("-1.50 USD", (-150, "USD")),
        ("300 JPY", (300, "JPY")),
        ("1.250 KWD", (1_250, "KWD")),
    ],
)
def test_money_is_read_to_its_minor_unit(text: str, read: tuple[int, str]) -> None:
    """An amount is read into the minor unit of its currency, which has none, two or three decimals."""
    assert money.parse(text) == read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("150", "Write it as"),
        ("1,500.00 CNY", "Write it as"),
        ("1e3 CNY", "Write it as"),
        (".5 CNY", "Write it as"),
        ("٣٠٠ CNY", "Write it as"),
        ("150.001 CNY", "3 decimals, and CNY has 2"),
        ("300.0 JPY", "1 decimals, and JPY has 0"),
        ("150 XQZ", "not an ISO 4217"),
        ("9999999999999999999 CNY", "more than 18 digits"),
    ],
)
def test_what_is_no_money_is_refused_by_name(text: str, problem: str) -> None:
    """A text that cannot be read exactly is refused, and the message says why."""
    with pytest.raises(money.NotMoneyError, match=problem):
        money.parse(text)


@pytest.mark.parametrize(
    ("amount_minor", "currency_code", "printed"),
    [
        (15_000, "CNY", "150.00 CNY"),
        (5, "CNY", "0.05 CNY"),
        (-5, "USD", "-0.05 USD"),
        (300, "JPY", "300 JPY"),
        (1_250, "KWD", "1.250 KWD"),
    ],
)
def test_money_is_printed_plainly(amount_minor: int, currency_code: str, printed: str) -> None:
    """An amount is printed with all its decimals and no separators, in every locale."""
    assert money.print_money(amount_minor, currency_code) == printed
