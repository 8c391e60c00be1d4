"""The printed code of a unit: the forms in which it is printed, and all forms in which it is read."""

import hmac
import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.serials import ALPHABET, SERIAL_LENGTH, KeyRing, normalize, print_serial, unit_of
from pathbook.ledger.values import gtin14, lot_problem, name_symbol

MAX_CODE_LENGTH: Final = 2_000
"""The most characters of a text that is read as a code. A Digital Link with a long query is far shorter."""

MAX_SHOWN: Final = 60
"""How many characters of a malformed code a refusal repeats. They are enough to find it again."""

MAX_ELEMENTS: Final = 16
"""The most element strings that are read from a scanned symbol. Labels have two to six, and each costs a search."""

_GROUP_SEPARATOR: Final = "\x1d"
_GS1_SYMBOLOGIES: Final = ("]C1", "]e0", "]d2", "]Q3", "]J1")
_UNMARKED_ELEMENTS: Final = re.compile(r"01[0-9]{14}.{20,}")
_BRACKETED_IDENTIFIER: Final = re.compile(r"\(([0-9]{2,4})\)")
_GTIN_DIGITS: Final = re.compile(r"[0-9]{8}|[0-9]{12,14}")

_Elements = list[tuple[str, str]]


class PrintedCode(msgspec.Struct, frozen=True):
    """A code as read: its canonical serial, and the other values on the label. Nothing in it is proven yet.

    ``gtin`` (14 digits) and ``lot`` are None if the code does not have them.
    """

    serial: str
    gtin: str | None
    lot: str | None
    batch: int
    number: int


def digital_link(serial: str, gtin: str, lot: str, domain: str) -> str:
    """Return the URI that a phone opens (GS1 Digital Link Standard: URI Syntax)."""
    return f"https://{domain}/01/{gtin}/10/{quote(lot, safe='')}/21/{serial}"


def element_string(serial: str, gtin: str, lot: str) -> str:
    """Return the human readable interpretation that is printed beside a symbol (GS1 General Specifications 4.14).

    A lot that contains a number in brackets, such as ``A(17)``, is read as two elements. Such a code is refused.
    """
    return f"(01){gtin}(10){lot}(21){serial}"


def parse_code(text: str) -> PrintedCode | Refusal:
    """Read a code in any form: a Digital Link URI, an element string (bracketed or scanned), or a typed serial."""
    if len(text) > MAX_CODE_LENGTH:
        return _malformed(text, f"it has {len(text)} characters, and at most {MAX_CODE_LENGTH} are read")
    elements = _elements(text.strip())
    if isinstance(elements, str):
        return _malformed(text, elements)
    values = dict(elements)
    if len(values) < len(elements):
        return _malformed(text, "it names an application identifier twice")
    gtin, lot, typed = values.get("01"), values.get("10"), values.get("21")
    if typed is None:
        return _malformed(text, "it has no serial, AI (21)")
    serial = normalize(typed)
    unknown = [symbol for symbol in serial if symbol not in ALPHABET]
    if unknown:
        return _malformed(
            text, f"a serial cannot contain {name_symbol(unknown[0])}, only digits and letters without U"
        )
    if len(serial) != SERIAL_LENGTH:
        return _malformed(text, f"its serial has {len(serial)} characters, not {SERIAL_LENGTH}")
    if gtin is not None and not _GTIN_DIGITS.fullmatch(gtin):
        return _malformed(text, f"its GTIN '{_printable(gtin)}' does not have 8, 12, 13 or 14 digits")
    if lot is not None and (problem := lot_problem(lot)):
        return _malformed(text, f"its lot '{_printable(lot)}' cannot be one: {problem}")
    unit = unit_of(serial)
    if unit is None:
        return refuse(Reason.CODE_CHECK_CHARACTER, code=_printable(typed))
    product = None if gtin is None else gtin14(gtin)
    if gtin is not None and product is None:
        return refuse(Reason.CODE_GTIN_CHECK_DIGIT, gtin=gtin)
    return PrintedCode(serial, product, lot, unit.batch, unit.number)


def open_code(parsed: PrintedCode, ring: KeyRing, book: str, *, likely: bytes = b"") -> bytes | Refusal:
    """Return the fingerprint of the key in the ring that made a serial.

    This checks neither that the book has such a unit, nor that the key is that of its batch. The key with the
    fingerprint ``likely`` is tried first, then the newer keys before the older ones.
    """
    for name in (likely, *reversed(ring.fingerprints)):
        key = ring.by_fingerprint.get(name)
        if key is None:
            continue
        if hmac.compare_digest(print_serial(key, book, parsed.batch, parsed.number), parsed.serial):
            return name
    return refuse(Reason.CODE_OTHER_BOOK, code=parsed.serial, book=book)


def refuse_other_key(parsed: PrintedCode, made_with: bytes, code_key: bytes) -> Refusal | None:
    """Refuse a code that was made with another key than its batch's. Both keys are named by their fingerprints."""
    if made_with == code_key:
        return None
    return refuse(
        Reason.CODE_KEY_RETIRED,
        code=parsed.serial,
        key=made_with.hex(),
        batch=parsed.batch,
        code_key=code_key.hex(),
    )


def contradiction(parsed: PrintedCode, gtin: str, lot: str) -> Refusal | None:
    """Compare the label with the GTIN (14 digits) and the lot of the batch to which its serial belongs."""
    for field, printed, actual in (("GTIN", parsed.gtin, gtin), ("lot", parsed.lot, lot)):
        if printed is not None and printed != actual:
            return refuse(Reason.CODE_CONTRADICTS, field=field, said=printed, actual=actual)
    return None


def _elements(text: str) -> _Elements | str:
    """Return pairs of application identifier and value, or the problem. A bare serial is the value of AI (21)."""
    symbology, text = (text[:3], text[3:]) if text.startswith("]") else ("", text)
    if text.startswith("("):
        return _bracketed_elements(text)
    if symbology in _GS1_SYMBOLOGIES or _GROUP_SEPARATOR in text or _UNMARKED_ELEMENTS.fullmatch(text):
        return _scanned_elements(text)
    if "/" in text:
        return _link_elements(text)
    return [("21", text)]


# Links and bracketed strings name every identifier, so this module splits them itself. biip takes 0.2 s to load
# and 60 microseconds a code, and silently drops what follows a bracket in a lot. The tests compare both.


def _link_elements(text: str) -> _Elements | str:
    try:
        link = urlsplit(text)
    except ValueError:
        return "it is not a well-formed URI"
    if link.scheme not in ("", "http", "https"):
        return f"its scheme is '{_printable(link.scheme)}', not https or http"
    segments = link.path.strip("/").split("/")
    if "01" not in segments:
        return "its path has no GTIN, /01/..."
    segments = [unquote(segment) for segment in segments[segments.index("01") :]]
    if len(segments) % 2:
        return f"its path ends in '{_printable(segments[-1])}', without a value"
    return list(zip(segments[::2], segments[1::2], strict=True))


def _bracketed_elements(text: str) -> _Elements | str:
    before, *parts = _BRACKETED_IDENTIFIER.split(text)
    if before or not parts:
        return "it does not begin with an application identifier in brackets, such as (01)"
    values = ["".join(value.split()) for value in parts[1::2]]
    return list(zip(parts[::2], values, strict=True))


def _scanned_elements(text: str) -> _Elements | str:
    from biip import ParseError  # noqa: PLC0415 - only scanned codes need the table of identifiers
    from biip.gs1_application_identifiers import GS1ApplicationIdentifier  # noqa: PLC0415 - as above

    elements: _Elements = []
    while text := text.lstrip(_GROUP_SEPARATOR):
        if len(elements) == MAX_ELEMENTS:
            return f"it has more than {MAX_ELEMENTS} element strings"
        try:
            identifier = GS1ApplicationIdentifier.extract(text)
        except ParseError:
            return f"'{_printable(text)}' does not begin with a GS1 application identifier"
        found = re.match(identifier.pattern.removesuffix("$"), text.split(_GROUP_SEPARATOR)[0])
        if found is None:
            return f"'{_printable(text)}' does not have a valid value of AI {identifier}"
        elements.append((identifier.ai, found[0].removeprefix(identifier.ai)))
        text = text[found.end() :]
    return elements


def _malformed(text: str, problem: str) -> Refusal:
    return refuse(Reason.CODE_MALFORMED, code=_printable(text), problem=problem)


def _printable(text: str) -> str:
    """Return a text as a refusal may repeat it: short, and without control characters for a terminal."""
    visible = "".join(symbol if symbol.isprintable() else "?" for symbol in text[:MAX_SHOWN])
    return visible if len(text) <= MAX_SHOWN else visible + "..."
