"""Printed codes: every printed form is read back, and other texts are refused."""

import re
import string

import pytest
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_messages import GS1Message
from hypothesis import assume, example, given
from hypothesis import strategies as st
from stdnum import ean
from stdnum.iso7064 import mod_37_36

from pathbook.ledger.codes import (
    MAX_CODE_LENGTH,
    PrintedCode,
    contradiction,
    digital_link,
    element_string,
    open_code,
    parse_code,
    refuse_other_key,
)
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.serials import ALPHABET, BookKey, fingerprint, key_ring, print_serial
from pathbook.ledger.values import MAX_BATCH_NUMBER, MAX_BATCH_SIZE, is_lot

KEY = BookKey(bytes(range(32)))
RING = key_ring([KEY])
GTIN = "06901234567892"
SERIAL = "0000E00Y4G5BS2DBY88Z"

GS1_CHARACTERS = string.ascii_letters + string.digits + "!\"%&'()*+,-./:;<=>?_"
"""The characters that AI (10) may hold: GS1 General Specifications, figure 7.11-1."""

serials = st.builds(
    print_serial,
    st.just(KEY),
    st.just("masks"),
    st.integers(0, MAX_BATCH_NUMBER),
    st.integers(0, MAX_BATCH_SIZE - 1),
)
gtins = st.text("0123456789", min_size=13, max_size=13).map(lambda data: data + ean.calc_check_digit(data))
lots = st.text(GS1_CHARACTERS, min_size=1, max_size=20).filter(is_lot)
keys = st.binary(min_size=32, max_size=32).map(BookKey)


@st.composite
def typed(draw: st.DrawFn, serial: str) -> str:
    """Draw one of the ways to type a serial."""
    look_alikes = {"0": "0Oo", "1": "1IiLl"}
    ways = [st.sampled_from(look_alikes.get(symbol, symbol + symbol.lower())) for symbol in serial]
    gaps = st.text(" -\t\u00a0\u2011\u2013", max_size=2)
    return draw(gaps) + "".join(draw(way) + draw(gaps) for way in ways)


def accepted(text: str) -> PrintedCode:
    """Return the code in a text that has one."""
    parsed = parse_code(text)
    assert isinstance(parsed, PrintedCode), str(parsed)
    return parsed


def refused(text: str) -> Refusal:
    """Return the refusal of a text that has no code of book "masks"."""
    parsed = parse_code(text)
    opened = parsed if isinstance(parsed, Refusal) else open_code(parsed, RING, "masks")
    assert isinstance(opened, Refusal), opened
    return opened


def test_printed_forms_never_change() -> None:
    """The link and the element string hold GTIN, lot and serial in the standard's order."""
    assert digital_link(SERIAL, GTIN, "A/7", "masks.example") == (
        "https://masks.example/01/06901234567892/10/A%2F7/21/0000E00Y4G5BS2DBY88Z"
    )
    assert element_string(SERIAL, GTIN, "A/7") == "(01)06901234567892(10)A/7(21)0000E00Y4G5BS2DBY88Z"


@given(serials, gtins, lots)
def test_a_link_is_read_back(serial: str, gtin: str, lot: str) -> None:
    """The serial, the GTIN and the lot are read back from a link."""
    parsed = accepted(digital_link(serial, gtin, lot, "masks.example"))
    assert (parsed.serial, parsed.gtin, parsed.lot) == (serial, gtin, lot)
    assert open_code(parsed, RING, "masks") == fingerprint(KEY)


@given(serials, gtins, lots)
def test_an_element_string_is_read_back(serial: str, gtin: str, lot: str) -> None:
    """The serial, the GTIN and the lot are read back, unless the lot itself looks like an element string."""
    assume(not re.search(r"\([0-9]{2,4}\)", lot))
    parsed = accepted(element_string(serial, gtin, lot))
    assert (parsed.serial, parsed.gtin, parsed.lot) == (serial, gtin, lot)


@given(serials, gtins, lots)
def test_a_scanned_string_is_read_back(serial: str, gtin: str, lot: str) -> None:
    """The string of a scanner, with separators after variable lengths, is read like the printed form."""
    parsed = accepted(f"]d201{gtin}10{lot}\x1d21{serial}")
    assert (parsed.serial, parsed.gtin, parsed.lot) == (serial, gtin, lot)


@given(serials.flatmap(lambda serial: st.tuples(st.just(serial), typed(serial))))
def test_a_typed_serial_is_read_back(pair: tuple[str, str]) -> None:
    """Case, blanks, dashes and look-alikes do not change the serial that is read."""
    serial, text = pair
    assert accepted(text).serial == serial
    assert accepted(text).gtin is None
    assert accepted(text).lot is None


@given(serials, gtins, lots)
def test_other_software_reads_our_labels(serial: str, gtin: str, lot: str) -> None:
    """An independent GS1 library reads the same from a link and from an element string."""
    assume("(" not in lot)  # biip cuts a lot there
    link = GS1DigitalLinkURI.parse(digital_link(serial, gtin, lot, "masks.example"))
    message = GS1Message.parse_hri(element_string(serial, gtin, lot))
    wanted = [("01", gtin), ("10", lot), ("21", serial)]
    assert [(element.ai.ai, element.value) for element in link.element_strings] == wanted
    assert [(element.ai.ai, element.value) for element in message.element_strings] == wanted


@pytest.mark.parametrize(
    "text",
    [
        f"HTTPS://MASKS.EXAMPLE/01/{GTIN}/10/A7/21/{SERIAL}",
        f"http://masks.example:8080/cn/shop/01/{GTIN}/10/A7/21/{SERIAL}/?17=271231&utm_source=a#top",
        f"https://masks.example/01/6901234567892/22/2A/10/A7/21/{SERIAL}",
        f"masks.example/01/{GTIN}/10/A7/21/{SERIAL}",
        f"]Q1https://masks.example/01/{GTIN}/10/A7/21/{SERIAL.lower()}",
        f" (01) {GTIN} (17) 271231 (10) A7 (21) 0000-E00Y-4G5B-S2DB-Y88Z\n",
        f"(21){SERIAL}(10)A7(01){GTIN}",
        f"]d201{GTIN}1727123110A7\x1d21{SERIAL}",
        f"]C101{GTIN}21{SERIAL}\x1d10A7",
        f"\x1d01{GTIN}17000000310300012510A7\x1d\x1d21{SERIAL}\x1d",
        f"01{GTIN}21{SERIAL}\x1d10A7\r\n",
    ],
)
def test_codes_are_read_in_many_forms(text: str) -> None:
    """Every form that a phone, a scanner or a person enters leads to the same unit."""
    assert accepted(text) == PrintedCode(SERIAL, GTIN, "A7", batch=7, number=123_456)


@pytest.mark.parametrize(
    "text", [f"01{GTIN}21{SERIAL}", f"]d2\x1d21{SERIAL}01{GTIN}", f"(01){GTIN}(21){SERIAL}"]
)
def test_a_code_may_leave_out_the_lot(text: str) -> None:
    """A label without a lot leads to the same unit."""
    assert accepted(text) == PrintedCode(SERIAL, GTIN, None, batch=7, number=123_456)


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        ("", Reason.CODE_MALFORMED, "its serial has 0 characters, not 20"),
        (SERIAL[:-1], Reason.CODE_MALFORMED, "its serial has 19 characters, not 20"),
        ("0000E00U4G5BS2DBY88Z", Reason.CODE_MALFORMED, "a serial cannot contain 'U'"),
        ("0000E00é4G5BS2DBY88Z", Reason.CODE_MALFORMED, "a serial cannot contain 'é' (U+00E9), only digits"),
        ("0000E00\x1b4G5BS2DBY88Z", Reason.CODE_MALFORMED, "a serial cannot contain U+001B, only digits"),
        ("0000E00Y4G5BS2DBY8Z8", Reason.CODE_CHECK_CHARACTER, "'0000E00Y4G5BS2DBY8Z8' is wrong"),
        ("x" * (MAX_CODE_LENGTH + 1), Reason.CODE_MALFORMED, "it has 2001 characters, and at most 2000"),
        (f"ftp://m.example/01/{GTIN}/21/{SERIAL}", Reason.CODE_MALFORMED, "its scheme is 'ftp'"),
        ("https://m.example/about", Reason.CODE_MALFORMED, "its path has no GTIN"),
        (f"https://m.example/01/{GTIN}/10/A7/21", Reason.CODE_MALFORMED, "ends in '21', without a value"),
        (f"https://m.example/01/{GTIN}/10/A7", Reason.CODE_MALFORMED, "it has no serial, AI (21)"),
        (f"https://[/01/{GTIN}/21/{SERIAL}", Reason.CODE_MALFORMED, "it is not a well-formed URI"),
        (f"https://m.example/01/{GTIN}/10/A 7/21/{SERIAL}", Reason.CODE_MALFORMED, "its lot 'A 7'"),
        (f"https://m.example/01/690123/21/{SERIAL}", Reason.CODE_MALFORMED, "its GTIN '690123'"),
        (f"(01)06901234567893(21){SERIAL}", Reason.CODE_GTIN_CHECK_DIGIT, "06901234567893"),
        (f"(21){SERIAL}(21){SERIAL}", Reason.CODE_MALFORMED, "an application identifier twice"),
        (f"(lot)A7(21){SERIAL}", Reason.CODE_MALFORMED, "does not begin with an application identifier"),
        (f"]d299{SERIAL}\x1d!", Reason.CODE_MALFORMED, "'!' does not begin with a GS1 application"),
        ("]d201690123", Reason.CODE_MALFORMED, "does not have a valid value of AI (01)"),
        ("]d2" + "99A\x1d" * 17, Reason.CODE_MALFORMED, "it has more than 16 element strings"),
        ("]d2", Reason.CODE_MALFORMED, "it has no serial, AI (21)"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, reason: Reason, message: str) -> None:
    """Each malformed code is refused by the reason's name, in a sentence that shows the fault."""
    refusal = refused(text)
    assert refusal.reason is reason
    assert message in str(refusal)
    assert str(refusal).isprintable()


@given(serials, st.integers(0, 19), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_refused_by_the_check_character(serial: str, place: int, symbol: str) -> None:
    """The check character refuses a single wrong character, before the book of the code is checked."""
    assume(symbol != serial[place])
    wrong = serial[:place] + symbol + serial[place + 1 :]
    assert refused(wrong).reason is Reason.CODE_CHECK_CHARACTER


@given(serials, st.integers(0, 18))
def test_swapped_characters_never_open_a_unit(serial: str, place: int) -> None:
    """The tag refuses what the check character misses."""
    swapped = serial[:place] + serial[place + 1] + serial[place] + serial[place + 2 :]
    assume(swapped != serial)
    assert refused(swapped).reason in {Reason.CODE_CHECK_CHARACTER, Reason.CODE_OTHER_BOOK}


@given(serials, keys, st.sampled_from(["masks", "mask", "masks2", "Masks"]))
def test_another_book_refuses_the_code(serial: str, key: BookKey, book: str) -> None:
    """A code opens only with its own key and for its own book."""
    assume((key, book) != (KEY, "masks"))
    for other_key, other_book in ((key, book), (key, "masks"), (KEY, book)):
        if (other_key, other_book) != (KEY, "masks"):
            refusal = open_code(accepted(serial), key_ring([other_key]), other_book)
            assert isinstance(refusal, Refusal)
            assert refusal.reason is Reason.CODE_OTHER_BOOK
            assert serial in str(refusal)
            assert f"'{other_book}'" in str(refusal)


@given(st.lists(keys, min_size=1, max_size=5, unique=True), st.data())
def test_each_key_of_a_ring_opens_its_own_codes(made: list[BookKey], data: st.DataObject) -> None:
    """The key that made a code is found, whichever key is tried first, and it alone is right for its batch."""
    ring = key_ring(made)
    key, likely = data.draw(st.sampled_from(made)), data.draw(st.sampled_from([b"", *ring.fingerprints]))
    parsed = accepted(print_serial(key, "masks", 7, 3))
    found = open_code(parsed, ring, "masks", likely=likely)
    assert found == fingerprint(key)
    for other in ring.fingerprints:
        refusal = refuse_other_key(parsed, found, other)
        assert (refusal is None) is (other == found)
        if refusal is not None:
            assert refusal.reason is Reason.CODE_KEY_RETIRED
            assert dict(refusal.facts) == {
                "code": parsed.serial,
                "key": found.hex(),
                "batch": "7",
                "code_key": other.hex(),
            }


@given(st.text(ALPHABET, min_size=19, max_size=19), st.booleans())
def test_made_up_serials_are_refused(symbols: str, checked: bool) -> None:
    """Twenty random characters open nothing, with or without a correct check character."""
    text = symbols + (mod_37_36.calc_check_digit(symbols, ALPHABET) if checked else "0")
    reason = refused(text).reason
    assert reason is Reason.CODE_OTHER_BOOK or (not checked and reason is Reason.CODE_CHECK_CHARACTER)


PIECES = [
    "(01)",
    "(10)",
    "(21)",
    "]d2",
    "]C1",
    "https://",
    "[",
    "%",
    "/01/",
    "/10/",
    "/21/",
    "\x1d",
    "01",
    "21",
]
any_text = st.text(st.characters(), max_size=80)
nearly_a_code = st.lists(st.sampled_from([*PIECES, GTIN, SERIAL]) | st.text(max_size=3), max_size=12).map(
    "".join
)


@given(any_text | nearly_a_code)
@example("\ud800")
@example("(21)\ud800")
@example("]d201" + "\u0660" * 14 + "21" + SERIAL)
@example("(01)" + "\uff10" * 14 + "(21)" + SERIAL)
@example(f"https://m.example/01/{GTIN}/10/%FF/21/{SERIAL}")
@example(f"https://m\u2100.example/01/{GTIN}/21/{SERIAL}")
def test_any_text_gets_an_answer(text: str) -> None:
    """Any text is read as a code or refused in a printable sentence, and nothing is raised."""
    parsed = parse_code(text)
    if isinstance(parsed, Refusal):
        assert str(parsed).isprintable()
    else:
        assert re.fullmatch(f"[{ALPHABET}]{{20}}", parsed.serial)


def test_a_label_that_contradicts_its_serial_is_refused() -> None:
    """The GTIN and lot on a label must belong to its serial, and a label may leave them out."""
    parsed = accepted(element_string(SERIAL, GTIN, "A7"))
    assert contradiction(parsed, GTIN, "A7") is None
    assert contradiction(accepted(SERIAL), GTIN, "A7") is None
    for gtin, lot, message in ((GTIN, "A8", "lot A7"), ("00000000000000", "A7", f"GTIN {GTIN}")):
        refusal = contradiction(parsed, gtin, lot)
        assert refusal is not None
        assert refusal.reason is Reason.CODE_CONTRADICTS
        assert message in str(refusal)
