"""Prices and amounts as people type and read them. Outside they are decimal text, inside whole minor units.

Nothing is rounded here, and nothing depends on a locale. `150.00 CNY` means the same everywhere and for ever: the
decimals of each currency are the table EXPONENTS, which no library and no setting of the machine can change.
"""

import re
from typing import Final

from pathbook.ledger.values import MAX_AMOUNT_MINOR, MAX_PRICE_UNITS, Price

PUBLISHED: Final = "2026-01-01"
"""The date of ISO 4217, list one (current currencies), from which EXPONENTS was taken."""

_CURRENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW"
    " CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF"
    " IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK"
    " MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP"
    " SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG"
    " YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

# Withdrawn since 2009. Books may hold what happened before: transfers of years ago can be recorded today.
_WITHDRAWN: Final = {
    0: "BYR",
    2: "ANG BGN CUC EEK HRK LTL LVL MRO SKK SLL STD VEF ZMK ZWL",
}

EXPONENTS: Final[dict[str, int]] = {
    code: exponent
    for table in (_CURRENT, _WITHDRAWN)
    for exponent, codes in table.items()
    for code in codes.split()
}
"""The decimals of each currency by its ISO 4217 code: CNY 2, JPY 0, KWD 3.

Amounts are stored in minor units, so this table gives stored bytes their meaning. When ISO adds a code, it is added
here. An exponent never changes, and a code is never removed, even if ISO withdraws it. ISO gives a new code to a
currency whose unit changes, so both stay. Codes to which ISO gives no minor unit (XXX, XTS, XAU, XDR ...) are not
here: no goods are priced in them.
"""

MAX_AMOUNT_DIGITS: Final = len(str(MAX_AMOUNT_MINOR))
"""The most digits of an amount that are read. The amount is compared with its limit after that."""

MAX_UNITS_DIGITS: Final = len(str(MAX_PRICE_UNITS))
"""The most digits of a number of units that are read."""

_AMOUNT = r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?"
_UNITS = r"(?:\s*/\s*(?P<units>[0-9]+))?"
_AMOUNT_FIRST = re.compile(_AMOUNT + r"\s*(?P<code>[A-Za-z]{3})" + _UNITS, re.ASCII)
_CODE_FIRST = re.compile(r"(?P<code>[A-Za-z]{3})\s*" + _AMOUNT + _UNITS, re.ASCII)


class NotMoneyError(ValueError):
    """A text is not a price. The message says why, and how to write one."""


class OutOfBoundsError(NotMoneyError):
    """A text is a price, but it is higher or finer than the book can keep exactly."""


def decimals(currency_code: str) -> int:
    """Return the number of decimals of a currency: CNY 2, JPY 0, KWD 3. Raises KeyError for an unknown code."""
    return EXPONENTS[currency_code]


def parse(text: str) -> Price:
    """Read a price exactly, with the number of units that it is for.

    - `150 CNY`, `150.00CNY` and `CNY 150` are 15000 minor units for one unit.
    - `1.25 CNY/100` is 125 minor units for 100 units.
    - `0.0125 CNY` has more decimals than the currency, so it is 125 minor units for 100 units.
    - `4.7500 USD` is 475 minor units for one unit: zeros beyond the currency's decimals say nothing.

    Raises:
        OutOfBoundsError: the amount is above MAX_AMOUNT_MINOR, or it is for more than MAX_PRICE_UNITS units.
        NotMoneyError: the text has another form, or an unknown currency.
    """
    found = _AMOUNT_FIRST.fullmatch(text.strip()) or _CODE_FIRST.fullmatch(text.strip())
    if found is None:
        raise NotMoneyError(
            f"'{text}' is not a price. Write it as '150.00 CNY', or '1.25 CNY/100' for 100 units."
        )
    code, part, units = found["code"].upper(), found["part"] or "", (found["units"] or "1").lstrip("0")
    if code not in EXPONENTS:
        raise NotMoneyError(
            f"'{code}' in '{text}' is not an ISO 4217 code of a currency of prices, such as CNY or USD."
        )
    places = EXPONENTS[code]
    part = part[:places].ljust(places, "0") + part[places:].rstrip("0")
    digits, finer = (found["whole"] + part).lstrip("0") or "0", len(part) - places
    if not units:
        raise NotMoneyError(f"'{text}' is a price of no units. Write a number of at least 1 after '/'.")
    if finer >= MAX_UNITS_DIGITS or len(units) > MAX_UNITS_DIGITS or int(units) * 10**finer > MAX_PRICE_UNITS:
        raise OutOfBoundsError(
            f"'{text}' is too fine. A price is for at most {MAX_PRICE_UNITS} units, and each decimal beyond the"
            f" {places} of {code} multiplies them by ten."
        )
    if len(digits) > MAX_AMOUNT_DIGITS or int(digits) > MAX_AMOUNT_MINOR:
        raise OutOfBoundsError(
            f"'{text}' has too many digits. The most is {print_money(MAX_AMOUNT_MINOR, code)}, or as many digits"
            " with more decimals."
        )
    return Price(int(found["sign"] + digits), code, int(units) * 10**finer)


def print_amount(amount_minor: int, currency_code: str) -> str:
    """Return an amount of minor units as decimal text without its currency: `150.00`.

    The decimals of a code that is not in the table are unknown. Such an amount is said in `minor units`.
    """
    if currency_code not in EXPONENTS:
        return f"{amount_minor} minor units"
    return _print_decimals(amount_minor, EXPONENTS[currency_code])


def print_money(amount_minor: int, currency_code: str) -> str:
    """Return an amount of minor units as decimal text with its currency: `150.00 CNY`."""
    return f"{print_amount(amount_minor, currency_code)} {currency_code}"


def print_price(price: Price) -> str:
    """Return a price with its currency: `150.00 CNY`, `0.0125 CNY`, or `100.00 CNY/7` for seven units.

    `parse` reads the same price from it.
    """
    number, _, units = print_number(price).partition("/")
    return f"{number} {price.currency_code}{units and f'/{units}'}"


def print_number(price: Price) -> str:
    """Return a price without its currency: `150.00`, `0.0125`, or `100.00/7` for seven units.

    A price for a power of ten is written with more decimals, unless zeros at its end would then say nothing.
    """
    if price.per_units == 1:
        return print_amount(price.amount_minor, price.currency_code)
    finer = len(str(price.per_units)) - 1
    if price.per_units == 10**finer and price.amount_minor % 10 and price.currency_code in EXPONENTS:
        return _print_decimals(price.amount_minor, EXPONENTS[price.currency_code] + finer)
    return f"{print_amount(price.amount_minor, price.currency_code)}/{price.per_units}"


def _print_decimals(number: int, places: int) -> str:
    digits = str(abs(number)).rjust(places + 1, "0")
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"
