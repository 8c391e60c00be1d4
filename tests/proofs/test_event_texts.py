"""Events as texts of a proof file: what is repeated is read as it was, and has one place."""

import hashlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.proofs import event_texts
from pathbook.ledger.proofs.event_texts import MAX_REPEATS, REPEATABLE_BYTES, EventTexts
from pathbook.ledger.proofs.text import MalformedTextError, print_base64

KEYS: Final = [b" " + hashlib.sha256(bytes([number])).digest() for number in range(3)]
"""Fields of 32 bytes, each with its length before it."""

events = st.lists(st.lists(st.sampled_from([*KEYS, b"a", b"bc"]), max_size=8).map(b"".join), max_size=8)


def printed(stored: list[bytes]) -> list[str]:
    """Return the texts of events."""
    texts = EventTexts()
    return [texts.printed(data) for data in stored]


def parsed(texts: list[str]) -> list[bytes]:
    """Return the events of texts."""
    read = EventTexts()
    return [read.parse(text) for text in texts]


@given(events)
def test_events_are_read_as_they_were_printed(stored: list[bytes]) -> None:
    """Whatever is repeated survives, and no key is written twice in two events."""
    found = printed(stored)
    assert parsed(found) == stored
    there = [{key for key in KEYS if key in data} for data in stored]
    repeats = [text.count("(") for text in found]
    assert all(count > 0 for place, count in enumerate(repeats) if there[place] & set().union(*there[:place]))


def test_equal_bytes_around_a_key_are_repeated_with_it() -> None:
    """An event that another begins with takes a few characters."""
    data = b"origin and party" + KEYS[0] + b"time"
    assert printed([data, data + b"more"]) == [print_base64(data), f"(0:{len(data)})bW9yZQ=="]


@pytest.mark.parametrize(
    "repeat",
    [
        "(33:33)",
        "(0:23)",
        "(44:23)",
        "(70:33)",
        "(0:133)",
        "(00:33)",
        "(0:033)",
        "(0:33",
        "0:33)",
        "(-1:33)",
        "((0:33))",
    ],
)
def test_a_repeat_of_no_bytes_before_is_refused(repeat: str) -> None:
    """So is one that is short, one of another than the first place, and one that is written otherwise."""
    read = EventTexts()
    assert read.parse(print_base64(KEYS[0] * 3)) == KEYS[0] * 3
    assert read.parse("(0:33)") == KEYS[0]
    with pytest.raises(MalformedTextError):
        read.parse(repeat)


def test_bytes_far_from_the_first_ones_are_not_repeated() -> None:
    """A search for the first place of some bytes ends soon, also in a large file."""
    far = bytes(REPEATABLE_BYTES - 10)
    assert printed([far, KEYS[0], KEYS[0]])[1:] == [print_base64(KEYS[0])] * 2
    read = EventTexts()
    read.parse(print_base64(far + KEYS[0]))
    with pytest.raises(MalformedTextError):
        read.parse(f"({len(far)}:33)")


def test_a_file_has_so_many_repeats_and_bytes_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prover writes no more of them, and a reader refuses more."""
    many = [KEYS[0]] * (MAX_REPEATS + 3)
    assert parsed(printed(many)) == many
    read = EventTexts()
    read.parse(print_base64(KEYS[0]))
    read.parse("(0:33)" * MAX_REPEATS)
    with pytest.raises(MalformedTextError):
        read.parse("(0:33)")
    monkeypatch.setattr(event_texts, "MAX_EVENT_BYTES", 98)
    with pytest.raises(MalformedTextError):
        parsed([print_base64(KEYS[0]), "(0:33)", "(0:33)"])
    read = EventTexts()
    read.parse(print_base64(KEYS[0]))
    with pytest.raises(MalformedTextError, match="more than 98 bytes"):  # before what follows is looked at
        read.parse("(0:33)(0:33)(0:1)")
