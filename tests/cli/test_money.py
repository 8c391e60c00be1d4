"""Prices are read and printed as decimal text, exactly, with the decimals of ISO 4217."""

import contextlib
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pathbook.ledger import money
from pathbook.ledger.values import MAX_AMOUNT_MINOR, MAX_PRICE_UNITS, Price

CURRENCIES = st.sampled_from(sorted(money.EXPONENTS))
AMOUNTS = st.integers(-MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR)
POWERS_OF_TEN = st.integers(0, 9).map(lambda power: 10**power)
UNITS = st.just(1) | POWERS_OF_TEN | st.integers(1, MAX_PRICE_UNITS)


@given(st.builds(Price, AMOUNTS, CURRENCIES, UNITS))
@example(Price(MAX_AMOUNT_MINOR, "CLF", MAX_PRICE_UNITS))
@example(Price(0, "JPY", 10))
@example(Price(10, "CNY", 10))
@example(Price(5, "JPY", MAX_PRICE_UNITS))
def test_what_is_printed_reads_back_exactly(price: Price) -> None:
    """Every price in every currency comes back from its text as it was stated."""
    assert money.parse(money.print_price(price)) == price
    assert money.parse(f"{money.print_number(Price(7, 'CNY'))} CNY") == Price(7, "CNY")


@given(
    st.integers(0, 10**14 - 1),
    CURRENCIES,
    st.sampled_from(["{0} {1}", "{0}{1}", "{1} {0}", "{1}{0}", " {1}  {0} ", "{0} {1}/1", "{1} {0} / 001"]),
)
def test_the_order_of_amount_and_currency_does_not_matter(amount: int, code: str, form: str) -> None:
    """An amount in whole units reads the same on either side of its currency, with or without a blank."""
    assert money.parse(form.format(amount, code)) == Price(amount * 10 ** money.decimals(code), code)


@given(st.text() | st.from_regex(r"[0-9]{1,25}(\.[0-9]{1,14})? ?CNY( ?/ ?[0-9]{1,12})?", fullmatch=True))
def test_any_text_is_a_price_or_refused_by_name(text: str) -> None:
    """A text is refused with a reason, or it is read, printed and read back."""
    with contextlib.suppress(money.NotMoneyError):
        found = money.parse(text)
        assert abs(found.amount_minor) <= MAX_AMOUNT_MINOR
        assert 1 <= found.per_units <= MAX_PRICE_UNITS
        assert money.parse(money.print_price(found)) == found


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("150 CNY", Price(15_000, "CNY")),
        ("150.00CNY", Price(15_000, "CNY")),
        ("CNY 150", Price(15_000, "CNY")),
        ("150.5 cny", Price(15_050, "CNY")),
        ("0 CNY", Price(0, "CNY")),
        ("-1.50 USD", Price(-150, "USD")),
        ("300 JPY", Price(300, "JPY")),
        ("1.250 KWD", Price(1_250, "KWD")),
        ("1.2345 CLF", Price(12_345, "CLF")),
        ("9990.50 HUF", Price(999_050, "HUF")),
        ("12000000000 VND", Price(12_000_000_000, "VND")),
        ("0.0125 CNY", Price(125, "CNY", 100)),
        ("0.0120 CNY", Price(12, "CNY", 10)),
        ("0.5 JPY", Price(5, "JPY", 10)),
        ("300.0 JPY", Price(300, "JPY")),
        ("4.7500 USD", Price(475, "USD")),
        ("0.000 USD", Price(0, "USD")),
        ("1.25 CNY/100", Price(125, "CNY", 100)),
        ("1.25 CNY / 100", Price(125, "CNY", 100)),
        ("CNY 100/7", Price(10_000, "CNY", 7)),
        ("0.0125 CNY/7", Price(125, "CNY", 700)),
        ("1 CNY/1000000000", Price(100, "CNY", 1_000_000_000)),
        ("0.00000000001 CNY", Price(1, "CNY", 1_000_000_000)),
        ("92233720368547758.07 CNY", Price(2**63 - 1, "CNY")),
    ],
)
def test_a_price_is_read_to_its_minor_unit(text: str, read: Price) -> None:
    """An amount is read into minor units, for several units if it has more decimals or says so."""
    assert money.parse(text) == read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("150", "Write it as"),
        ("1,500.00 CNY", "Write it as"),
        ("1e3 CNY", "Write it as"),
        (".5 CNY", "Write it as"),
        ("٣٠٠ CNY", "Write it as"),
        ("1 CNY/", "Write it as"),
        ("1 CNY/-7", "Write it as"),
        ("1 CNY/1.5", "Write it as"),
        ("1/7 CNY", "Write it as"),
        ("150 XQZ", "not an ISO 4217"),
        ("1 XXX", "'XXX' .* is not an ISO 4217 code of a currency of prices"),
        ("1 XTS", "not an ISO 4217"),
        ("1 XAU", "not an ISO 4217"),
        ("1 XDR", "not an ISO 4217"),
        ("1 CNY/0", "a price of no units"),
        ("1 CNY/000", "a price of no units"),
        ("1 CNY/1000000001", "too fine. A price is for at most 1000000000 units"),
        ("0.000000000001 CNY", "too fine"),
        ("0.001 CNY/100000001", "too fine"),
        ("92233720368547758.08 CNY", "too many digits. The most is 92233720368547758.07 CNY"),
        ("92233720368547758.071 CNY", "too many digits"),
        pytest.param("9" * 10_000 + " CNY", "too many digits", id="10,000 digits"),
        pytest.param("0." + "1" * 10_000 + " CNY", "too fine", id="10,000 decimals"),
        pytest.param("1 CNY/" + "9" * 10_000, "too fine", id="10,000 digits of units"),
    ],
)
def test_what_is_no_price_is_refused_by_name(text: str, problem: str) -> None:
    """A text that cannot be read exactly is refused, and the message says why."""
    with pytest.raises(money.NotMoneyError, match=problem):
        money.parse(text)


@pytest.mark.parametrize(
    ("price", "printed"),
    [
        (Price(15_000, "CNY"), "150.00 CNY"),
        (Price(5, "CNY"), "0.05 CNY"),
        (Price(-5, "USD"), "-0.05 USD"),
        (Price(300, "JPY"), "300 JPY"),
        (Price(1_250, "KWD"), "1.250 KWD"),
        (Price(999_050, "HUF"), "9990.50 HUF"),
        (Price(125, "CNY", 100), "0.0125 CNY"),
        (Price(5, "JPY", 10), "0.5 JPY"),
        (Price(120, "CNY", 100), "1.20 CNY/100"),
        (Price(0, "CNY", 100), "0.00 CNY/100"),
        (Price(10_000, "CNY", 7), "100.00 CNY/7"),
        (Price(100, "JPY", 7), "100 JPY/7"),
        (Price(100, "QQQ"), "100 minor units QQQ"),
        (Price(1, "QQQ", 10), "1 minor units QQQ/10"),
    ],
)
def test_a_price_is_printed_plainly(price: Price, printed: str) -> None:
    """A price is printed with all its decimals and no separators. Decimals that are unknown are not guessed."""
    assert money.print_price(price) == printed


@pytest.mark.parametrize(
    ("exponent", "codes"),
    [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF BYR"),
        (
            2,
            "AFN ALL CNY COP EUR GBP HUF IDR IRR KPW LAK LBP MGA MMK RSD SOS SYP TRY TWD USD YER XAD XCG ZWG",
        ),
        (2, "ANG BGN HRK MRO SLL STD VEF ZWL"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ],
)
def test_the_decimals_of_a_currency_are_those_of_iso_4217(exponent: int, codes: str) -> None:
    """The table has what ISO says, where locale data of libraries say what people usually write."""
    assert {code: money.decimals(code) for code in codes.split()} == dict.fromkeys(codes.split(), exponent)


def test_the_table_of_currencies_does_not_shrink() -> None:
    """Stored amounts need their decimals for ever. All codes and exponents of the first release are still there."""
    released = "".join(
        f"{code}{exponent}" for code, exponent in sorted(money.EXPONENTS.items()) if code < "D"
    )
    assert released == (
        "AED2AFN2ALL2AMD2ANG2AOA2ARS2AUD2AWG2AZN2BAM2BBD2BDT2BGN2BHD3BIF0BMD2BND2BOB2BOV2BRL2BSD2BTN2BWP2BYN2BYR0BZD2"
        "CAD2CDF2CHE2CHF2CHW2CLF4CLP0CNY2COP2COU2CRC2CUC2CUP2CVE2CZK2"
    )
    assert len(money.EXPONENTS) == 165 + 15
    without_minor_unit = (
        "XXX",
        "XTS",
        "XAU",
        "XAG",
        "XPT",
        "XPD",
        "XDR",
        "XSU",
        "XUA",
        "XBA",
        "XBB",
        "XBC",
        "XBD",
    )
    assert not money.EXPONENTS.keys() & set(without_minor_unit)


def test_printing_a_price_imports_no_locale_data() -> None:
    """What a stored amount means does not depend on a library's display data."""
    program = (
        "import sys; from pathbook.ledger import money; print(money.print_price(money.parse('9990.50 HUF')));"
        " print('babel' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["9990.50 HUF", "False"]
