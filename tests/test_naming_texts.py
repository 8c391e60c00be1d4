"""A refusal that describes the characters of a text, or its length, tells the truth, and names what is wrong."""

import string
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.refusals import SENTENCES, Reason
from pathbook.ledger.values import (
    MAX_LOT,
    MAX_ORIGIN,
    MAX_REFERENCE,
    MAX_REQUEST_ID,
    is_identifier,
    is_lot,
    is_origin,
    is_reference,
    is_request_id,
    lot_problem,
)

LETTERS_AND_DIGITS: Final = string.ascii_letters + string.digits
GS1_82: Final = set(LETTERS_AND_DIGITS + "!\"%&'()*+,-./:;<=>?_")
"""The 82 characters of figure 7.11-1 of the GS1 General Specifications."""

EVERY_CHARACTER: Final = [chr(number) for number in [*range(0x3000), 0xFF11, 0xFF21, 0x1F600, 0x202E, 0xFEFF]]
"""ASCII and many of its neighbors, among them letters and digits that look like ASCII."""


def test_the_characters_of_a_lot_are_those_of_the_sentence() -> None:
    """The sentence lists the 82 characters of GS1, neither more nor less."""
    sentence = SENTENCES[Reason.LOT_MALFORMED][1]
    listed = sentence.partition("0-9 and ")[2].partition(" (GS1")[0].split(" ")
    assert set(listed) | set(LETTERS_AND_DIGITS) == GS1_82
    assert len(GS1_82) == 82
    assert {symbol for symbol in EVERY_CHARACTER if is_lot(f"A{symbol}")} == GS1_82


@pytest.mark.parametrize(
    ("lot", "problem"),
    [
        ("A" * MAX_LOT, ""),
        ("A" * (MAX_LOT + 1), f"it has {MAX_LOT + 1} characters"),
        ("", "it has 0 characters"),
        ("#A1", "it has '#', which is none of GS1's 82 characters"),
        ("批次1", "it has '批' (U+6279), which is none of GS1's 82 characters"),
        ("A１", "it has '１' (U+FF11), which is none of GS1's 82 characters"),
        ("A 1", "it has a blank, which is none of GS1's 82 characters"),
        ("A\u00a01", "it has U+00A0, which is none of GS1's 82 characters"),
        ("A\x1d1", "it has U+001D, which is none of GS1's 82 characters"),
        ("A\u202e", "it has U+202E, which is none of GS1's 82 characters"),
        ("A$", "it has '$', which is none of GS1's 82 characters"),
        ("A@[]", "it has '@', which is none of GS1's 82 characters"),
        (".", "a browser removes it from the path of a link"),
        ("..", "a browser removes it from the path of a link"),
        ("...", ""),
        ("A.", ""),
        (".#", "it has '#', which is none of GS1's 82 characters"),
    ],
)
def test_the_problem_of_a_lot_is_named(lot: str, problem: str) -> None:
    """The wrong character, the length, or the path of a link is named."""
    assert lot_problem(lot) == problem


@given(st.text(max_size=MAX_LOT + 2))
def test_a_lot_has_a_problem_or_is_one(lot: str) -> None:
    """A lot is refused if and only if a problem is named, in one printable line."""
    assert bool(lot_problem(lot)) is not is_lot(lot)
    assert lot_problem(lot).isprintable()


@pytest.mark.parametrize("reason", [Reason.PARTY_MALFORMED, Reason.BOOK_MALFORMED, Reason.CONSUMER_MALFORMED])
def test_the_characters_of_an_id_are_those_of_the_sentence(reason: Reason) -> None:
    """Ids of parties and consumers and names of books have 1 to 64 ASCII letters, digits and three marks."""
    wanted = "Use 1 to 64 of A-Z, a-z, 0-9, '.', '-' and '_', and begin with a letter or digit."
    assert SENTENCES[reason][1].endswith(wanted)
    assert {symbol for symbol in EVERY_CHARACTER if is_identifier(f"a{symbol}")} == set(
        LETTERS_AND_DIGITS + ".-_"
    )
    assert {symbol for symbol in EVERY_CHARACTER if is_identifier(symbol)} == set(LETTERS_AND_DIGITS)
    assert (is_identifier("a" * 64), is_identifier("a" * 65), is_identifier("")) == (True, False, False)


def test_the_characters_of_an_origin_are_those_of_the_sentence() -> None:
    """An origin has printable ASCII without blanks, plus signs, and what divides a scheme from a URL."""
    wanted = "1 to 200 printable ASCII characters, without blanks, '+' and '://'."
    assert SENTENCES[Reason.ORIGIN_MALFORMED][1].endswith(wanted)
    printable = {symbol for symbol in EVERY_CHARACTER if symbol.isascii() and symbol.isprintable()}
    assert {symbol for symbol in EVERY_CHARACTER if is_origin(f"a{symbol}")} == printable - {" ", "+"}
    assert (is_origin("a" * MAX_ORIGIN), is_origin("a" * (MAX_ORIGIN + 1)), MAX_ORIGIN) == (True, False, 200)
    assert (is_origin("https://a"), is_origin("a:/b"), is_origin("")) == (False, True, False)


def test_the_characters_of_a_request_id_are_those_of_the_sentence() -> None:
    """A request id has printable ASCII, with no blank at either end and no tilde at the beginning."""
    wanted = "1 to 128 printable ASCII characters, with no blank at either end and no tilde at the beginning."
    assert wanted in SENTENCES[Reason.REQUEST_ID_MALFORMED][1]
    printable = {symbol for symbol in EVERY_CHARACTER if symbol.isascii() and symbol.isprintable()}
    assert {symbol for symbol in EVERY_CHARACTER if is_request_id(f"a{symbol}a")} == printable
    assert {symbol for symbol in EVERY_CHARACTER if is_request_id(f"a{symbol}")} == printable - {" "}
    assert {symbol for symbol in EVERY_CHARACTER if is_request_id(f"{symbol}a")} == printable - {" ", "~"}
    assert (is_request_id("a" * MAX_REQUEST_ID), is_request_id("a" * (MAX_REQUEST_ID + 1))) == (True, False)
    assert (MAX_REQUEST_ID, is_request_id("")) == (128, False)


def test_the_characters_of_a_reference_are_those_of_the_sentence() -> None:
    """A reference has printable characters of any script, and no blanks but spaces between others."""
    wanted = "Use 1 to {limit} printable characters, with no blanks but inner spaces."
    assert SENTENCES[Reason.REFERENCE_MALFORMED][1].endswith(wanted)
    printable = {symbol for symbol in EVERY_CHARACTER if symbol.isprintable()}
    assert {symbol for symbol in EVERY_CHARACTER if is_reference(f"a{symbol}a")} == printable
    assert {symbol for symbol in EVERY_CHARACTER if is_reference(f"a{symbol}")} == printable - {" "}
    assert {symbol for symbol in EVERY_CHARACTER if is_reference(f"{symbol}a")} == printable - {" "}
    blanks = [symbol for symbol in EVERY_CHARACTER if symbol.isspace()]
    assert [symbol for symbol in blanks if is_reference(f"a{symbol}a")] == [" "]
    assert (is_reference("面" * MAX_REFERENCE), is_reference("面" * (MAX_REFERENCE + 1))) == (True, False)
