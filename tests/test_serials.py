"""Serials and the book's key: printed serials stay readable, and typing mistakes and forgeries are refused."""

import itertools
import pprint
import re
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.pretty import pretty_repr
from stdnum.iso7064 import mod_37_36

from pathbook.ledger.serials import (
    ALPHABET,
    KEY_VERSION,
    MAX_KEYS,
    BookKey,
    fingerprint,
    key_ring,
    parse_book_key,
    parse_key_ring,
    print_book_key,
    print_key_ring,
    print_serial,
    print_serials,
    unit_of,
)
from pathbook.ledger.values import MAX_BATCH_NUMBER, MAX_BATCH_SIZE, Unit, UnitRange

KEY = BookKey(bytes(range(32)))
KEY_LINE = "pathbook-book-key-1 0001081G81860W40J2GB1G6GW3RG2491650N2RBHG68T3CE1T7GZF\n"
KNOWN = [
    (0, 0, "00000000001K78FJ1FM9"),
    (1, 0, "00002000002E5Z5XBFKN"),
    (1, 1, "0000200000BQDRVSA289"),
    (7, 123_456, "0000E00Y4G5BS2DBY88Z"),
    (MAX_BATCH_NUMBER, MAX_BATCH_SIZE - 1, "ZZZZZZZZZZWSHH5GNZCJ"),
]
"""Serials that KEY prints for book "masks", computed independently of this code from RFC 2104 and ISO 7064."""


@pytest.mark.parametrize(("batch", "number", "serial"), KNOWN)
def test_printed_serials_never_change(batch: int, number: int, serial: str) -> None:
    """A serial on a label is always printed and read in the same way."""
    assert print_serial(KEY, "masks", batch, number) == serial
    assert unit_of(serial) == Unit(batch, number)


def test_a_range_prints_what_its_units_print() -> None:
    """Printing a range gives the serials of its units, in order."""
    units = UnitRange(7, 123_450, 123_460)
    singly = [print_serial(KEY, "masks", 7, number) for number in range(123_450, 123_461)]
    assert list(print_serials(KEY, "masks", units)) == singly


@pytest.mark.parametrize("serial", [serial for _, _, serial in KNOWN])
def test_one_wrong_character_is_a_typing_mistake(serial: str) -> None:
    """The check character detects every replacement of a single character."""
    for place, symbol in itertools.product(range(len(serial)), ALPHABET):
        if symbol != serial[place]:
            assert unit_of(serial[:place] + symbol + serial[place + 1 :]) is None


def test_swapped_characters_are_detected_as_far_as_the_standard_allows() -> None:
    """In each of its 32 states, the check misses exactly one of the 496 pairs that could be swapped."""
    check = {
        "".join(symbols): mod_37_36.checksum("".join(symbols), ALPHABET)
        for symbols in itertools.product(ALPHABET, repeat=3)
    }
    missed = [s for s in check if s[1] < s[2] and check[s] == check[s[0] + s[2] + s[1]]]
    assert sorted(symbols[0] for symbols in missed) == sorted(ALPHABET)


@given(st.binary(min_size=32, max_size=32).map(BookKey))
@example(KEY)
@example(BookKey(b"\0" * 32))
@example(BookKey(b"\xff" * 32))
def test_a_key_file_is_read_back(key: BookKey) -> None:
    """A key is read from its printed line, even if that was typed from paper."""
    line = print_book_key(key)
    version, symbols = line.split()
    assert parse_book_key(line) == key
    assert parse_book_key(f"\n{version}  {symbols.lower().replace('0', 'o')} \n") == key


def test_the_key_file_never_changes() -> None:
    """The line that a key file holds for a key never changes."""
    assert print_book_key(KEY) == KEY_LINE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not a book key"),
        (KEY_LINE.replace("key-1", "key-2"), "this is not a book key"),
        (KEY_LINE.replace("81G", "8G1"), "check character of the book key is wrong"),
        (KEY_LINE.replace("81G", "8U1G"), "letters and digits"),
        (KEY_LINE.strip()[:-1], "letters and digits"),
        (
            "pathbook-book-key-1 " + "Z" * 52 + mod_37_36.calc_check_digit("Z" * 52, ALPHABET),
            "check character",
        ),
    ],
)
def test_a_damaged_key_file_is_refused_without_showing_it(text: str, message: str) -> None:
    """Text that is no key raises an error, and the message shows nothing of the secret."""
    with pytest.raises(ValueError, match=message) as raised:
        parse_book_key(text)
    assert "4J2GB1G6" not in str(raised.value)


def test_a_printed_key_hides_its_bytes() -> None:
    """No form of printing a key object shows its bytes."""
    for shown in (repr(KEY), str(KEY), f"{KEY}", pprint.pformat([KEY]), pretty_repr(KEY)):
        assert re.fullmatch(r"\[?BookKey\((\.\.\.)?\)\]?", shown)


KEYS = st.binary(min_size=32, max_size=32).map(BookKey)


def test_the_fingerprint_of_a_key_never_changes() -> None:
    """A key is named by the first bytes of a hash of it, under a label of its own."""
    assert fingerprint(KEY) == sha256(b"pathbook code key\0" + bytes(range(32))).digest()[:8]
    assert fingerprint(KEY).hex() == "059d053a7fa96e60"


@given(st.lists(KEYS, min_size=1, max_size=6, unique=True))
def test_a_ring_is_read_back_in_its_order(keys: list[BookKey]) -> None:
    """A key file has a line for each key, oldest first. Its last key is current, and blank lines say nothing."""
    ring = key_ring(keys)
    text = print_key_ring(ring)
    assert text.splitlines(keepends=True) == list(map(print_book_key, keys))
    assert parse_key_ring("\n" + text.replace("\n", "\r\n\n")).fingerprints == ring.fingerprints
    assert list(ring.by_fingerprint.values()) == keys
    assert ring.fingerprints == tuple(map(fingerprint, keys))
    assert ring.current == fingerprint(keys[-1])


def test_a_file_of_one_line_is_a_ring() -> None:
    """A key file from before there were generations has one key, the current one."""
    ring = parse_key_ring(KEY_LINE)
    assert ring.by_fingerprint == {ring.current: KEY}


OTHER_LINE = print_book_key(BookKey(b"\0" * 32))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no key"),
        (" \n\n", "it has no key"),
        (KEY_LINE + "x", "line 2: this is not a book key"),
        (KEY_LINE + OTHER_LINE.replace("key-1 0", "key-1 1"), "line 2: the check character"),
        (OTHER_LINE + KEY_LINE.strip()[:-1], "line 2: a book key has 53 letters"),
        (KEY_LINE + OTHER_LINE + KEY_LINE, "line 3 repeats the key of line 1"),
        (
            KEY_LINE + KEY_LINE.lower().replace("pathbook-book-key-1", KEY_VERSION),
            "line 2 repeats the key of line 1",
        ),
    ],
)
def test_a_key_file_with_a_wrong_line_is_refused(text: str, message: str) -> None:
    """A wrong line is named by its number, and the message shows nothing of the secret."""
    with pytest.raises(ValueError, match=message) as raised:
        parse_key_ring(text)
    assert "4J2GB1G6" not in str(raised.value)


def test_a_ring_has_a_limit() -> None:
    """A file of MAX_KEYS keys is read, and one more is refused with both numbers."""
    lines = [print_book_key(BookKey(number.to_bytes(32, "big"))) for number in range(MAX_KEYS + 1)]
    assert len(parse_key_ring("".join(lines[:MAX_KEYS])).fingerprints) == MAX_KEYS == 100
    with pytest.raises(ValueError, match="it has 101 keys, and at most 100 are read"):
        parse_key_ring("".join(lines))


def test_a_printed_ring_hides_its_keys() -> None:
    """No form of printing a ring shows the bytes of its keys."""
    for shown in (repr(key_ring([KEY])), pprint.pformat([key_ring([KEY])]), pretty_repr(key_ring([KEY]))):
        assert "BookKey(" in shown
        assert "x00" not in shown.replace(repr(fingerprint(KEY)), "")
