"""Cells are read exactly, or refused with a named fault."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.importing import cells
from pathbook.importing.cells import CellError, slug_of
from pathbook.ledger.values import Price, gtin14, is_identifier, is_lot

NAMES = st.lists(st.text(min_size=1, max_size=80).filter(str.strip), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "currency_code", "amount_minor"),
    [("4.75", "USD", 475), ("4", "USD", 400), ("4.7", "USD", 470), ("0", "USD", 0), ("300", "JPY", 300),
     ("1.234", "KWD", 1234), ("1039951.09", "USD", 103995109)],
)  # fmt: skip
def test_a_price_is_exact(text: str, currency_code: str, amount_minor: int) -> None:
    """A price is read exactly, with as many decimals as its currency has."""
    assert cells.parse_price("price", text, currency_code) == Price(amount_minor, currency_code)


@pytest.mark.parametrize(
    ("text", "currency_code", "fault"),
    [("4,75", "USD", "PRICE_MALFORMED"),
     ("$4.75", "EUR", "PRICE_MALFORMED"), ("1e3", "USD", "NUMBER_ROUNDED"), ("nan", "USD", "PRICE_MALFORMED"),
     ("4.75 CNY", "USD", "PRICE_MALFORMED"), ("9" * 19, "USD", "PRICE_OUT_OF_BOUNDS"),
     ("-4.75", "USD", "PRICE_NEGATIVE"), ("0.333333333333", "USD", "PRICE_OUT_OF_BOUNDS"),
     ("4.75 CNY/100", "USD", "PRICE_MALFORMED"),
     ("4.75", "RMB", "CURRENCY_UNKNOWN"), ("4.75", "XXX", "CURRENCY_UNKNOWN"), ("4.75", "", "CURRENCY_UNKNOWN")],
)  # fmt: skip
def test_a_malformed_price_is_a_named_fault(text: str, currency_code: str, fault: str) -> None:
    """A text that is no price is refused with a named fault, and never rounded."""
    with pytest.raises(CellError, match=rf"^{fault}: "):
        cells.parse_price("price", text, currency_code)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("4.755", Price(4_755, "USD", 10)),
        ("4.7500", Price(475, "USD")),
        ("0.0125", Price(125, "USD", 100)),
        ("92233720368547758.07", Price(2**63 - 1, "USD")),
    ],
)
def test_a_price_may_be_finer_than_its_currency(text: str, price: Price) -> None:
    """A price with more decimals than its currency is an amount for more units, and is never rounded."""
    assert cells.parse_price("price", text, "USD") == price


@pytest.mark.parametrize(
    ("text", "quantity", "price"),
    [
        ("100.00", 7, Price(10_000, "USD", 7)),
        ("100.00", 20, Price(10_000, "USD", 20)),
        ("-100.00", -7, Price(10_000, "USD", 7)),
        ("0.00", 7, Price(0, "USD", 7)),
        ("0", -7, Price(0, "USD", 7)),
        ("100.005", 12, Price(100_005, "USD", 120)),
        ("0.125", 2 * 10**8, Price(1, "USD", 16 * 10**6)),
        ("12.5", 10**10, Price(1, "USD", 8 * 10**6)),
    ],
)
def test_a_total_is_an_amount_for_the_quantity_of_its_row(text: str, quantity: int, price: Price) -> None:
    """The total of a row is kept as it is written. Only a number of units beyond the limit is reduced, exactly."""
    assert cells.parse_total("total", text, "USD", quantity) == price


@pytest.mark.parametrize(
    ("text", "quantity", "fault"),
    [
        ("-100.00", 7, "TOTAL_CONTRADICTS: total -100.00 and the quantity 7 have"),
        ("100.00", -7, "TOTAL_CONTRADICTS"),
        ("a lot", 7, "PRICE_MALFORMED"),
        ("0.001", 10**9 - 1, "PRICE_OUT_OF_BOUNDS: total '0.001' .* as the total of 999999999 units"),
        ("1", 7, "CURRENCY_UNKNOWN"),
    ],
)
def test_a_malformed_total_is_a_named_fault(text: str, quantity: int, fault: str) -> None:
    """A total that is no price of units is refused with a named fault, and never rounded."""
    with pytest.raises(CellError, match=rf"^{fault}"):
        cells.parse_total("total", text, "XXX" if fault == "CURRENCY_UNKNOWN" else "USD", quantity)


GERMAN = cells.Marks(",", ".")


@pytest.mark.parametrize(
    ("text", "amount_minor"),
    [
        ("10,50", 1050),
        ("1.010,50", 101050),
        ("1010,5", 101050),
        ("1.234.567", 123456700),
        ("0,05", 5),
        ("7", 700),
    ],
)
def test_a_price_is_read_with_the_marks_of_its_table(text: str, amount_minor: int) -> None:
    """A price with a decimal comma and points between thousands is read exactly."""
    assert cells.parse_price("Preis", text, "EUR", GERMAN) == Price(amount_minor, "EUR")
    assert cells.parse_price("Preis", text.replace(".", ""), "EUR", cells.Marks(",")) == Price(
        amount_minor, "EUR"
    )


@pytest.mark.parametrize("text", ["10.50", "1.01", "1.0100,5", ".100", "1,010.50", "10,", ",50", "1..000"])
def test_a_price_with_a_misplaced_mark_is_refused(text: str) -> None:
    """A misplaced thousands mark is never read as a decimal mark, and the fault quotes the cell."""
    with pytest.raises(CellError) as raised:
        cells.parse_price("Preis", text, "EUR", GERMAN)
    assert str(raised.value) == (
        f"PRICE_MALFORMED: Preis '{text}' is not a price in EUR, written with decimal_mark ',' and thousands_mark '.'."
    )


def test_a_quantity_is_read_with_the_marks_of_its_table() -> None:
    """A point between thousands is read if it is the thousands mark, and is a fault otherwise."""
    assert cells.parse_quantity("Menge", "1.000", GERMAN) == 1_000
    assert cells.parse_quantity("Menge", "-12,0", GERMAN) == -12
    with pytest.raises(CellError, match=r"'1\.000' is not a whole number written with decimal_mark ','"):
        cells.parse_quantity("Menge", "1.000", cells.Marks(","))


@given(
    st.integers(-(10**17), 10**17),
    st.sampled_from([(",", "."), (".", ","), (".", "'"), (",", "\u202f"), (",", "")]),
)
def test_a_written_price_is_read_back(amount_minor: int, marks: tuple[str, str]) -> None:
    """A price is read back with any marks, and a negative one is a named fault."""
    decimal, thousands = marks
    whole, part = divmod(abs(amount_minor), 100)
    text = f"{whole:,}".replace(",", thousands) + f"{decimal}{part:02}"
    if amount_minor < 0:
        with pytest.raises(CellError, match="PRICE_NEGATIVE"):
            cells.parse_price("price", f"-{text}", "EUR", cells.Marks(*marks))
    else:
        assert cells.parse_price("price", text, "EUR", cells.Marks(*marks)) == Price(amount_minor, "EUR")


@pytest.mark.parametrize(("text", "quantity"), [("12", 12), ("-3", -3), ("+3", 3), ("60.0", 60), ("007", 7)])
def test_a_quantity_is_a_whole_number(text: str, quantity: int) -> None:
    """A quantity is read as a whole number, even in the forms that spreadsheets write."""
    assert cells.parse_quantity("count", text) == quantity


@pytest.mark.parametrize(
    ("text", "fault"),
    [("0", "QUANTITY_ZERO"), ("-0", "QUANTITY_ZERO"), ("1.5", "QUANTITY_MALFORMED"), ("six", "QUANTITY_MALFORMED"),
     ("1e2", "NUMBER_ROUNDED"), ("1 000", "QUANTITY_MALFORMED"), ("9" * 13, "QUANTITY_MALFORMED")],
)  # fmt: skip
def test_a_malformed_quantity_is_a_named_fault(text: str, fault: str) -> None:
    """A text that is no quantity is refused with a named fault."""
    with pytest.raises(CellError, match=rf"^{fault}: count "):
        cells.parse_quantity("count", text)


def test_a_date_is_read_in_the_format_of_the_recipe() -> None:
    """A date in another order, or in Chinese, is read if the recipe gives its format."""
    day = datetime.date(2024, 3, 5)
    assert cells.parse_date("day", "05.03.2024", "%d.%m.%Y") == day
    assert cells.parse_date("日期", "2024年3月5日", "%Y年%m月%d日") == day


@pytest.mark.parametrize(
    ("text", "fault"),
    [("2012-02-30", "DATE_MALFORMED"), ("31.01.2012", "DATE_MALFORMED"), ("1012-01-31", "DATE_TOO_EARLY")],
)
def test_a_malformed_date_is_a_named_fault(text: str, fault: str) -> None:
    """A text that is no date, or a date that is too early, is refused with a named fault."""
    with pytest.raises(CellError, match=rf"^{fault}: day "):
        cells.parse_date("day", text, "%Y-%m-%d")


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Luxco-St Louis", "luxco-st-louis"), ("Bacardi U.S.A., Inc.", "bacardi-u-s-a-inc"),
     ("REMY COINTREAU USA         .", "remy-cointreau-usa"), ("  Proximo ", "proximo")],
)  # fmt: skip
def test_a_plain_name_gives_a_readable_slug(name: str, slug: str) -> None:
    """The id that is derived from a plain name is readable."""
    assert slug_of(name) == slug


def test_colliding_names_get_different_slugs() -> None:
    """Case, blanks and word separators do not change a slug, and other signs or lost letters add a hash."""
    assert slug_of("A B") == slug_of("a  b") == slug_of("A-B.") == "a-b"
    assert slug_of("A+B").startswith("a-b-")
    assert slug_of("A+B") != slug_of("A/B")
    assert slug_of("王小明") != slug_of("李小龙")
    assert slug_of("Café") != slug_of("Cafe") == "cafe"


@given(NAMES)
def test_slugs_are_ids_and_distinct(names: list[str]) -> None:
    """Each slug is a valid id of a party, and different names get different slugs."""
    ids = [slug_of(name) for name in names]
    assert all(map(is_identifier, ids))
    assert len(set(ids)) == len({cells._canonical(name) for name in names})


@given(st.from_regex(r"[0-9]{1,6}", fullmatch=True), st.text(min_size=1, max_size=40))
def test_a_restricted_gtin_is_a_gtin(item: str, owner: str) -> None:
    """A GTIN derived from an item number has a correct check digit and a restricted circulation prefix."""
    gtin = cells.restricted_gtin("item", item, owner)
    assert gtin14(gtin) == gtin
    assert gtin[:8] == "02" + item.zfill(6)


def test_a_restricted_gtin_depends_on_the_owner() -> None:
    """Two owners with one item number get two products, and an item number has at most six digits."""
    assert cells.restricted_gtin("item", "75087", "Luxco-St Louis") == "02075087204793"
    assert cells.restricted_gtin("item", "75087", "Proximo") != "02075087204793"
    with pytest.raises(CellError, match=r"^ITEM_MALFORMED: item '1234567'"):
        cells.restricted_gtin("item", "1234567", "Proximo")


@given(st.text(min_size=1, max_size=80))
def test_a_source_and_its_lot_are_valid(stem: str) -> None:
    """Any file name gives a source name that fits a request id, and a lot that fits a label."""
    source = cells.source_of(stem)
    assert is_identifier(f"x{source}")
    assert len(source) <= cells.MAX_SLUG
    assert is_lot(cells.lot_of(source))
    assert cells.source_of(source) == source


def test_a_fault_quotes_only_the_beginning_of_a_cell() -> None:
    """The fault of a cell with 5,000 characters quotes only a part of it."""
    with pytest.raises(CellError) as raised:
        cells.parse_quantity("count", "x" * 5_000)
    assert len(str(raised.value)) < 200
