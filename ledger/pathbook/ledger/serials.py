"""The serial of a unit: how it is made with the book's key, and what can be read from it without the key.

A serial has 20 characters of Crockford's base 32, the most that GS1 AI (21) holds. The first 19 are data (95 bits:
batch number, unit number, tag). The last is a check character (ISO 7064 hybrid system, here MOD 33,32).

The tag is a truncated HMAC-SHA-256 over book, batch and number. It proves that the serial was made with the book's
key, so an invented serial is refused before anything is read.

The check character tells a typing mistake from an invented serial. It finds every single wrong character, and all
swaps of adjacent characters but 1 in 496. The tag finds the rest.
"""

import hmac
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec
from stdnum.iso7064 import mod_37_36

from pathbook.ledger.values import MAX_BATCH_NUMBER, MAX_BATCH_SIZE, Unit, UnitRange

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: digits and capitals, without U, and without I, L and O, which look like 1 and 0."""

SERIAL_LENGTH: Final = 20
"""The number of characters of a serial: GS1 General Specifications, AI (21)."""

UNIT_BITS: Final = 28
"""The bits of the unit number. The batch number is before it, in the first 24 bits."""

TAG_BITS: Final = 43
"""The bits of the tag, which are the rest of 19 characters. A guess is right once in 8,796,093,022,208 times."""

KEY_BYTES: Final = 32
"""The bytes of a book's key, which match the strength of HMAC-SHA-256."""

KEY_CHARACTERS: Final = 52
"""The base 32 characters of a key, before its check character."""

KEY_VERSION: Final = "pathbook-book-key-1"
"""The beginning of a key file. Another way to make serials will have another number."""

FINGERPRINT_BYTES: Final = 8
"""The bytes of a key's fingerprint, which names the key in events. A store has far fewer keys than would collide."""

_BATCH_KEY_LABEL: Final = b"pathbook batch key 1\0"
_FINGERPRINT_LABEL: Final = b"pathbook code key\0"
_PYTHON_DIGITS: Final = str.maketrans(ALPHABET, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
_BLANKS_AND_DASHES: Final = " \t\r\n\u00a0\u2009\u202f\u3000-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_CORRECTIONS: Final = (
    {ord(symbol.lower()): symbol for symbol in ALPHABET}
    | str.maketrans("OoIiLl", "001111")
    | dict.fromkeys(map(ord, _BLANKS_AND_DASHES))
)


class BookKey(msgspec.Struct, frozen=True):
    """The secret key with which a book's serials are made: 32 random bytes. Its repr does not show them."""

    secret: bytes

    def __post_init__(self) -> None:
        """Check the length, wherever the key comes from."""
        assert len(self.secret) == KEY_BYTES

    def __repr__(self) -> str:
        """Keep the secret out of logs and tracebacks."""
        return "BookKey(...)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Keep the secret out of the output of rich."""
        return []


def fingerprint(key: BookKey) -> bytes:
    """Return the name of a key, from which the key cannot be found: 8 bytes."""
    return sha256(_FINGERPRINT_LABEL + key.secret).digest()[:FINGERPRINT_BYTES]


def print_book_key(key: BookKey) -> str:
    """Return the line of a key file: version, 52 base 32 characters, check character."""
    return f"{KEY_VERSION} {_encode(int.from_bytes(key.secret, 'big'), KEY_CHARACTERS)}\n"


def parse_book_key(text: str) -> BookKey:
    """Return the key in the text of a key file.

    Raises:
        ValueError: the text is not a key file. The message does not repeat the text.
    """
    version, _, typed = text.strip().partition(" ")
    if version != KEY_VERSION:
        raise ValueError(f"this is not a book key: a book key begins with '{KEY_VERSION}'")
    symbols = normalize(typed)
    if len(symbols) != KEY_CHARACTERS + 1 or not set(symbols) <= set(ALPHABET):
        raise ValueError(f"a book key has {KEY_CHARACTERS + 1} letters and digits after '{KEY_VERSION}'")
    value = _decode(symbols)
    if value is None or value >> 8 * KEY_BYTES:
        raise ValueError(
            "the check character of the book key is wrong: compare the key with the copy that it came from"
        )
    return BookKey(value.to_bytes(KEY_BYTES, "big"))


def print_serial(key: BookKey, book: str, batch: int, number: int) -> str:
    """Return the serial of one unit."""
    return next(print_serials(key, book, UnitRange(batch, number, number)))


def print_serials(key: BookKey, book: str, units: UnitRange) -> Iterator[str]:
    """Yield the serials of a range in order. The batch's key is derived once."""
    assert 0 <= units.batch <= MAX_BATCH_NUMBER
    assert 0 <= units.first <= units.last < MAX_BATCH_SIZE
    place = book.encode() + units.batch.to_bytes(4, "big")
    batch_key = hmac.digest(key.secret, _BATCH_KEY_LABEL + place, "sha256")
    keyed = hmac.new(batch_key, digestmod="sha256")
    for number in range(units.first, units.last + 1):
        tagged = keyed.copy()
        tagged.update(number.to_bytes(4, "big"))
        tag = int.from_bytes(tagged.digest()[:8], "big") >> 64 - TAG_BITS
        yield _encode((units.batch << UNIT_BITS | number) << TAG_BITS | tag, SERIAL_LENGTH - 1)


def normalize(typed: str) -> str:
    """Return what a person typed as capitals, without blanks and dashes, and with O, I and L as 0, 1 and 1."""
    return typed.translate(_CORRECTIONS)


def unit_of(serial: str) -> Unit | None:
    """Return the unit that 20 characters of the alphabet name, or None if the check character is wrong.

    The tag is not checked here, and without it anyone can make such a serial.
    """
    data = _decode(serial)
    if data is None:
        return None
    unit = data >> TAG_BITS
    return Unit(batch=unit >> UNIT_BITS, number=unit & (1 << UNIT_BITS) - 1)


def _encode(value: int, length: int) -> str:
    """Return a number as ``length`` base 32 characters, followed by their check character."""
    symbols = "".join([ALPHABET[value >> shift & 31] for shift in range(5 * (length - 1), -1, -5)])
    return symbols + mod_37_36.calc_check_digit(symbols, ALPHABET)


def _decode(symbols: str) -> int | None:
    """Return the number before the check character, or None if the check character is wrong."""
    if not mod_37_36.is_valid(symbols, ALPHABET):
        return None
    return int(symbols[:-1].translate(_PYTHON_DIGITS), 32)
