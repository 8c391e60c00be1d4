"""Money as people type and read it. Outside it is decimal text, inside it is whole minor units.

Nothing is rounded, and nothing depends on a locale. `150.00 CNY` means the same everywhere.
"""

import functools
import re

MAX_DIGITS = 18
"""The most digits of an amount. So many digits always fit a signed 64-bit number of minor units."""

_AMOUNT = r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?"
_AMOUNT_FIRST = re.compile(_AMOUNT + r"\s*(?P<code>[A-Za-z]{3})", re.ASCII)
_CODE_FIRST = re.compile(r"(?P<code>[A-Za-z]{3})\s*" + _AMOUNT, re.ASCII)


class NotMoneyError(ValueError):
    """A text is not an amount of money. The message says why, and how to write one."""


@functools.cache
def currencies() -> frozenset[str]:
    """Return the ISO 4217 codes in the Unicode CLDR, as babel ships it."""
    from babel.numbers import list_currencies  # noqa: PLC0415 - babel loads only when money is checked

    return frozenset(list_currencies())


def decimals(currency_code: str) -> int:
    """Return the number of decimals of a currency in the Unicode CLDR: CNY 2, JPY 0, KWD 3."""
    from babel.numbers import get_currency_precision  # noqa: PLC0415 - babel loads only when money is used

    return get_currency_precision(currency_code)


def parse(text: str) -> tuple[int, str]:
    """Read `150 CNY`, `150.00CNY` or `CNY 150` exactly. Return the minor units and the ISO 4217 code.

    Raises:
        NotMoneyError: the text has another form, an unknown currency, too many decimals or too many digits.
    """
    found = _AMOUNT_FIRST.fullmatch(text.strip()) or _CODE_FIRST.fullmatch(text.strip())
    if found is None:
        raise NotMoneyError(f"'{text}' is not an amount of money. Write it as '150.00 CNY'.")
    code, part = found["code"].upper(), found["part"] or ""
    if code not in currencies():
        raise NotMoneyError(f"'{code}' in '{text}' is not an ISO 4217 currency code, such as CNY or USD.")
    if len(part) > decimals(code):
        raise NotMoneyError(f"'{text}' has {len(part)} decimals, and {code} has {decimals(code)}.")
    digits = found["whole"] + part.ljust(decimals(code), "0")
    if len(digits.lstrip("0")) > MAX_DIGITS:
        raise NotMoneyError(f"'{text}' has more than {MAX_DIGITS} digits.")
    return int(found["sign"] + digits), code


def print_amount(amount_minor: int, currency_code: str) -> str:
    """Return an amount of minor units as decimal text without its currency: `150.00`."""
    places = decimals(currency_code)
    digits = str(abs(amount_minor)).rjust(places + 1, "0")
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def print_money(amount_minor: int, currency_code: str) -> str:
    """Return an amount of minor units as decimal text with its currency: `150.00 CNY`."""
    return f"{print_amount(amount_minor, currency_code)} {currency_code}"
