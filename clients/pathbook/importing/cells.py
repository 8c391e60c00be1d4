"""Parsing the texts of cells: dates, prices, quantities, ids, GTINs, lots. Every invalid text has a named fault."""

import datetime
import enum
import functools
import hashlib
import re
import unicodedata
from fractions import Fraction
from typing import Final, NamedTuple

from stdnum import ean

from pathbook.importing.recipe import EXCEL_DAYS
from pathbook.ledger import money
from pathbook.ledger.values import MAX_LOT, MAX_PRICE_UNITS, Price, gtin14

FIRST_YEAR: Final = 1970
"""The first year of times in a book. An earlier date in a table of sales is a typing mistake."""

MAX_SLUG: Final = 48
"""The most characters of an id that is made from a name, with its hash. A person can still read such an id."""

MAX_QUANTITY_DIGITS: Final = 12
"""The most digits of a quantity. A batch has far fewer units."""

MAX_SHOWN: Final = 100
"""How many characters of a cell a fault repeats. They are enough to find the cell."""

HASH_DIGITS: Final = 10
"""The hexadecimal digits of the hash in a slug: 40 bits. Among 10,000 names, two collide once in 20,000 times."""

RESTRICTED_PREFIX: Final = "2"
"""The first digit of a restricted circulation number: GS1 General Specifications 1.4.3, prefixes 20-29."""

ITEM_DIGITS: Final = 6
"""The digits of a restricted GTIN for the item number."""

OWNER_DIGITS: Final = 5
"""The digits of a restricted GTIN that distinguish owners with the same item number."""

LOT_HASH_DIGITS: Final = 6
"""The hexadecimal digits of the hash at the end of a lot number, if the name of its source is too long."""

EXCEL_EPOCH: Final = datetime.date(1899, 12, 30)
"""The day 0 of spreadsheets. It is right from day 61 on: Excel has a 29th of February 1900."""

EXCEL_DAY: Final = re.compile(r"(?P<days>[0-9]{1,7})(?:[.,][0-9]+)?", re.ASCII)
"""The number of a day as a spreadsheet has it. Its fraction is the time of the day."""

NO_VALUES: Final = frozenset(
    {"#N/A", "#NULL!", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#SPILL!", "#CALC!", "#NV", "#WERT!",
     "#BEZUG!", "NULL", "Null", "null", "(NULL)", "(null)", "\\N", "NaN", "nan", "<NA>", "NaT", "None"}
)  # fmt: skip
"""The texts that spreadsheets, databases and pandas write where there is no value."""

CURRENCY_SIGNS: Final[dict[str, tuple[str, ...]]] = {
    "\N{EURO SIGN}": ("EUR",),
    "\N{YEN SIGN}": ("CNY", "JPY"),
    "\N{FULLWIDTH YEN SIGN}": ("CNY", "JPY"),
    "\u5143": ("CNY",),
    "\u5186": ("JPY",),
    "\N{POUND SIGN}": ("GBP",),
    "\N{WON SIGN}": ("KRW",),
    "\N{DONG SIGN}": ("VND",),
    "\N{INDIAN RUPEE SIGN}": ("INR",),
    "$": ("USD", "AUD", "CAD", "HKD", "MXN", "NZD", "SGD", "TWD"),
}
"""The currencies that a sign beside a number may stand for. The row must have one of them."""

GTIN_DIGITS: Final = 14
"""The digits of the longest GTIN."""

PADDED_LENGTH: Final = 18
"""The length to which some ERP systems pad the numbers of goods with zeros."""

_WIDE: Final = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: " "}
_BLANKS: Final = {0x00A0: " ", 0x2007: " ", 0x2009: " ", 0x202F: " "}
_MINUS: Final = {0x2212: "-", 0x2010: "-", 0x2011: "-", 0x2013: "-"}
_MIDNIGHT: Final = re.compile(r"(?<=[0-9])[ T]00:00(?::00(?:\.0+)?)?Z?$", re.ASCII)
_TIMES: Final = ("%H", "%I", "%X", "%c")
_ROUNDED: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]+", re.ASCII | re.IGNORECASE)
_IN_BRACKETS: Final = re.compile(r"\((?P<number>[^()+-]+)\)")
_MINUS_BEHIND: Final = re.compile(r"(?P<number>[^()+-]+)-")
_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.0+)?", re.ASCII)
_GTIN_NUMBER = re.compile(r"[0-9]+(?:[.,]0+)?", re.ASCII)
_ITEM = re.compile(rf"[0-9]{{1,{ITEM_DIGITS}}}", re.ASCII)
_BETWEEN_WORDS = re.compile(r"[-.,]+")
_NOT_IN_SLUGS = re.compile(r"[^a-z0-9]+")


class Fault(enum.Enum):
    """Why the importer rejects a row before it is sent to the book. The meaning of a name never changes."""

    ROW_BROKEN = "the row cannot be read: {text}."
    CELL_EMPTY = "{column} is empty."
    CELL_NO_VALUE = "{column} is '{text}', which a program writes where it has no value."
    DATE_MALFORMED = "{column} '{text}' is not a date written as {rule}."
    DATE_TOO_EARLY = "{column} '{text}' is before {rule}."
    NUMBER_ROUNDED = (
        "{column} '{text}' was shortened by a spreadsheet: digits are lost. Export the column as text."
    )
    QUANTITY_MALFORMED = "{column} '{text}' is not a whole number{rule}."
    QUANTITY_ZERO = "{column} is 0: nothing was moved."
    QUANTITY_NEGATIVE = "{column} is {text}, and the recipe does not say that this is a return."
    CURRENCY_UNKNOWN = "'{text}' is not an ISO 4217 currency code, such as CNY or USD."
    PRICE_MALFORMED = "{column} '{text}' is not a price in {rule}."
    PRICE_NEGATIVE = "{column} {text} is below zero."
    PRICE_OUT_OF_BOUNDS = "{column} '{text}' has more digits than the book can keep exactly{rule}."
    TOTAL_CONTRADICTS = "{column} {text} and the quantity {rule} have different signs."
    TIER_MALFORMED = "{column} '{text}' is not a number between 1 and {rule}."
    PARTY_MALFORMED = (
        "'{text}' of {column} cannot name a party: 1 to 64 letters, digits, dots, dashes, underscores."
    )
    PARTY_CONTRADICTS = "{text} is {rule} elsewhere in the table."
    ITEM_MALFORMED = "{column} '{text}' is not an item number of 1 to {rule} digits."
    GTIN_CHECK_DIGIT = (
        "{column} '{text}' is not a GTIN of 8, 12, 13 or 14 digits with a right check digit{rule}."
    )
    PRODUCT_CONTRADICTS = "product {text} belongs to {rule} elsewhere in the table."
    LOT_MALFORMED = (
        "{column} '{text}' cannot be a lot number: 1 to 20 characters of GS1's 82, without blanks."
    )
    LOT_CONTRADICTS = "lot {text} expires on {rule}."
    SERIAL_MALFORMED = "{column} '{text}' is not the code of a unit: {rule}"
    SERIAL_CONTRADICTS = "{column} '{text}' {rule}."
    SERIAL_IS_ONE_UNIT = (
        "{column} is {text}, but the row names one unit by its code. Write 1, or -1 for a return."
    )


class CellError(ValueError):
    """A row cannot be read as the recipe says. The message is the name and the sentence of the fault."""

    def __init__(self, fault: Fault, *, column: str = "", text: str = "", rule: object = "") -> None:
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
        super().__init__(f"{fault.name}: {fault.value.format(column=column, text=shown, rule=rule)}")


class Marks(NamedTuple):
    """How a table writes numbers: the mark before the decimals, and the mark between groups of three digits, if any."""

    decimal: str = "."
    thousands: str = ""


PLAIN: Final = Marks()
"""The marks of numbers in TOML, JSON and Pathbook."""


@functools.lru_cache(maxsize=4_096)
def parse_date(column: str, text: str, date_format: str) -> datetime.date:
    """Return the date in a text, whose format is one of `strptime`, or EXCEL_DAYS.

    The beginning of a day may follow it, as databases write it. Raises CellError.
    """
    plain = narrowed(text)
    if not any(time in date_format for time in _TIMES):
        plain = _MIDNIGHT.sub("", plain)
    found = EXCEL_DAY.fullmatch(plain)
    days = date_format == EXCEL_DAYS
    try:
        if days and found is not None:
            date = EXCEL_EPOCH + datetime.timedelta(days=int(found["days"]))
        else:
            date = datetime.datetime.strptime(plain, "%Y-%m-%d" if days else date_format).date()  # noqa: DTZ007 - a day has no time zone
    except (ValueError, OverflowError) as error:
        hint = f'{date_format}. If it is a spreadsheet\'s number of a day, set date.format = "{EXCEL_DAYS}"'
        rule = hint if found is not None and not days else date_format
        raise CellError(Fault.DATE_MALFORMED, column=column, text=text, rule=rule) from error
    if date.year < FIRST_YEAR:
        raise CellError(Fault.DATE_TOO_EARLY, column=column, text=text, rule=FIRST_YEAR)
    return date


@functools.lru_cache(maxsize=16_384)
def parse_price(column: str, text: str, currency_code: str, marks: Marks = PLAIN) -> Price:
    """Return the exact price in a decimal text, which may have more decimals than the currency. Raises CellError."""
    price = _amount(column, text, currency_code, marks)
    if price.amount_minor < 0:
        raise CellError(Fault.PRICE_NEGATIVE, column=column, text=text)
    return price


@functools.lru_cache(maxsize=16_384)
def parse_total(column: str, text: str, currency_code: str, quantity: int, marks: Marks = PLAIN) -> Price:
    """Return the exact price of units whose total is a decimal text: that amount for that many units.

    A negative quantity has a negative total. Only what 64 bits cannot hold as it is written is put in lowest terms.
    Raises CellError.
    """
    total = _amount(column, text, currency_code, marks)
    if total.amount_minor * quantity < 0:
        raise CellError(Fault.TOTAL_CONTRADICTS, column=column, text=text, rule=quantity)
    amount_minor, units = abs(total.amount_minor), abs(quantity) * total.per_units
    if units > MAX_PRICE_UNITS:
        amount_minor, units = Fraction(amount_minor, units).as_integer_ratio()
    if units > MAX_PRICE_UNITS:
        rule = f" as the total of {abs(quantity)} units"
        raise CellError(Fault.PRICE_OUT_OF_BOUNDS, column=column, text=text, rule=rule)
    return Price(amount_minor, currency_code, units)


def _amount(column: str, text: str, currency_code: str, marks: Marks) -> Price:
    if currency_code not in money.EXPONENTS:
        raise CellError(Fault.CURRENCY_UNKNOWN, text=currency_code)
    try:
        return money.parse(f"{_plain(column, _bare(text, currency_code), marks)} {currency_code}")
    except money.OutOfBoundsError as error:
        raise CellError(Fault.PRICE_OUT_OF_BOUNDS, column=column, text=text) from error
    except money.NotMoneyError as error:
        rule = f"{currency_code}, written with {_marked(marks)}"
        raise CellError(Fault.PRICE_MALFORMED, column=column, text=text, rule=rule) from error


@functools.lru_cache(maxsize=4_096)
def parse_quantity(column: str, text: str, marks: Marks = PLAIN) -> int:
    """Return the whole number in a text such as `12`, `-3` or `12.0`. Raises CellError, also for zero."""
    plain = _plain(column, text, marks)
    if not _WHOLE.fullmatch(plain) or len(plain) > MAX_QUANTITY_DIGITS:
        rule = "" if marks == PLAIN else f" written with {_marked(marks)}"
        raise CellError(Fault.QUANTITY_MALFORMED, column=column, text=text, rule=rule)
    quantity = int(plain.partition(".")[0])
    if quantity == 0:
        raise CellError(Fault.QUANTITY_ZERO, column=column)
    return quantity


@functools.lru_cache(maxsize=16_384)
def slug_of(name: str) -> str:
    """Return the id of a name, in lower-case ASCII letters and digits with dashes between them: `luxco-st-louis`.

    Names have the same id if they differ only in case, or in blanks, hyphens, commas or full stops between their
    words. A hash of the name follows if the name has other characters that the id lacks, or if the id would be too
    long. So a name has the same id in every table, and no other name has this id.
    """
    canonical = _canonical(name)
    ascii_name = unicodedata.normalize("NFKD", canonical).encode("ascii", "ignore").decode()
    slug = _NOT_IN_SLUGS.sub("-", ascii_name).strip("-")
    if canonical.replace(" ", "-") == slug and 0 < len(slug) <= MAX_SLUG:
        return slug
    kept = slug[: MAX_SLUG - HASH_DIGITS - 1].strip("-")
    return "-".join(filter(None, (kept, _hash(canonical)[:HASH_DIGITS])))


@functools.lru_cache(maxsize=16_384)
def restricted_gtin(column: str, item: str, owner: str) -> str:
    """Return a GTIN-13 for goods without one, a restricted circulation number, as 14 digits.

    Its parts are the digit 2, the item number padded to 6 digits, 5 digits of a hash of the owner's name, and the
    check digit. See GS1 General Specifications 1.4.3 and 7.9. Raises CellError unless the item has 1 to 6 digits.
    """
    item = narrowed(item)
    if len(item) > ITEM_DIGITS:
        item = item.lstrip("0").zfill(1) if len(item) <= PADDED_LENGTH else item
    if not _ITEM.fullmatch(item):
        raise CellError(Fault.ITEM_MALFORMED, column=column, text=item, rule=ITEM_DIGITS)
    of_owner = int(_hash(_canonical(owner)), 16) % 10**OWNER_DIGITS
    digits = f"{RESTRICTED_PREFIX}{item.zfill(ITEM_DIGITS)}{of_owner:0{OWNER_DIGITS}}"
    return (digits + ean.calc_check_digit(digits)).zfill(14)


@functools.lru_cache(maxsize=16_384)
def parse_gtin(column: str, text: str, pad: int | None = None) -> str:
    """Return a GTIN as 14 digits. A shorter number gets zeros in front, up to `pad` digits. Raises CellError."""
    digits = narrowed(text)
    if _ROUNDED.fullmatch(digits):
        raise CellError(Fault.NUMBER_ROUNDED, column=column, text=text)
    if _GTIN_NUMBER.fullmatch(digits):
        digits = re.split("[.,]", digits)[0]
        if GTIN_DIGITS < len(digits) <= PADDED_LENGTH:
            digits = digits.lstrip("0").zfill(13)
        digits = digits.zfill(pad or 0)
    gtin = gtin14(digits)
    if gtin is None:
        raise CellError(Fault.GTIN_CHECK_DIGIT, column=column, text=text, rule=_pad_hint(digits))
    return gtin


def _pad_hint(digits: str) -> str:
    """Return how to get back the zeros that a spreadsheet took from the front of a GTIN, if that would mend it."""
    for length in (12, 13, 8, 14):
        if digits.isdigit() and len(digits) < length and gtin14(digits.zfill(length)):
            return f". If a spreadsheet took the zeros from its front, set product.pad = {length}"
    return ""


def source_of(stem: str) -> str:
    """Return the name of a source from the name of its file. It is the same if a request id may contain it."""
    return stem if re.fullmatch(rf"[A-Za-z0-9._-]{{1,{MAX_SLUG}}}", stem, re.ASCII) else slug_of(stem)


def lot_of(source: str) -> str:
    """Return the name of a source as a lot number. If it is too long or all dots, it is shortened and gets a hash."""
    if len(source) <= MAX_LOT and source.strip("."):
        return source
    return f"{source[: MAX_LOT - LOT_HASH_DIGITS - 1]}-{_hash(source)[:LOT_HASH_DIGITS]}"


def narrowed(text: str) -> str:
    """Return a text with ASCII letters, digits and signs in place of the full-width ones of East Asian keyboards."""
    return text if text.isascii() else text.translate(_WIDE).strip()


def _bare(text: str, currency_code: str) -> str:
    """Return the number of a price that stands beside the sign or the code of its currency."""
    signs = [sign for sign, codes in CURRENCY_SIGNS.items() if currency_code in codes]
    for sign in (currency_code, *signs):
        for before in ("", "-", "\u2212", "("):
            if text.startswith(before + sign):
                return before + text.removeprefix(before + sign).lstrip()
        for behind in ("", ")"):
            if text.endswith(sign + behind):
                return text.removesuffix(sign + behind).rstrip() + behind
    return text


def _plain(column: str, text: str, marks: Marks) -> str:
    """Return a number with a decimal point and no thousands mark, or an empty text if the text is not a number.

    A negative number may also have its minus behind it, or stand in brackets.
    """
    if not text.isascii():
        text = narrowed(text).translate(_BLANKS).translate(_MINUS)
    text = text.strip()
    if _ROUNDED.fullmatch(text):
        raise CellError(Fault.NUMBER_ROUNDED, column=column, text=text)
    if (negative := _IN_BRACKETS.fullmatch(text) or _MINUS_BEHIND.fullmatch(text)) is not None:
        text = f"-{negative['number'].strip()}"
    found = _number(marks).fullmatch(text)
    if found is None:
        return ""
    whole = re.sub("[^0-9]", "", found["whole"])
    return found["sign"] + whole + (f".{found['part']}" if found["part"] else "")


@functools.lru_cache(maxsize=64)
def _number(marks: Marks) -> re.Pattern[str]:
    mark = re.escape(marks.thousands.translate(_BLANKS))
    grouped = rf"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|" if mark else ""
    decimals = rf"(?:{re.escape(marks.decimal)}(?P<part>[0-9]+))?"
    return re.compile(rf"(?P<sign>[+-]?)(?P<whole>{grouped}[0-9]+){decimals}", re.ASCII)


def _marked(marks: Marks) -> str:
    thousands = f"thousands_mark '{marks.thousands}'" if marks.thousands else "no thousands_mark"
    return f"decimal_mark '{marks.decimal}' and {thousands}"


def _canonical(name: str) -> str:
    return " ".join(_BETWEEN_WORDS.sub(" ", unicodedata.normalize("NFKC", name).casefold()).split())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
