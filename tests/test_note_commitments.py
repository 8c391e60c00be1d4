"""Commitments to notes: a hash of the salt and the text, with which nothing else agrees."""

import hashlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.notes import COMMITMENT_BYTES, SALT_BYTES, Note, is_committed, note_commitment

SALT: Final = bytes(range(SALT_BYTES))

salts: Final = st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES)
texts: Final = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(salt=salts, text=texts)
def test_a_commitment_is_a_hash_of_the_salt_and_the_text(salt: bytes, text: str) -> None:
    """A commitment is SHA-256(0x02 | salt | UTF-8 text), and only its own salt and text agree with it."""
    commitment = note_commitment(salt, text)
    assert commitment == hashlib.sha256(b"\x02" + salt + text.encode("utf-8")).digest()
    assert len(commitment) == COMMITMENT_BYTES
    assert is_committed(Note(text, salt), commitment)
    assert not is_committed(Note(text + "!", salt), commitment)
    assert not is_committed(Note(text, salt), b"")
    assert not is_committed(Note(text, bytes(byte ^ 1 for byte in salt)), commitment)


def test_a_commitment_needs_a_whole_salt() -> None:
    """A salt of another length is refused, so that no byte of a text can pass for one of the salt."""
    with pytest.raises(ValueError, match="15 bytes, not 16"):
        note_commitment(SALT[:-1], "torn")
    assert not is_committed(Note("torn", SALT[:-1]), note_commitment(SALT, "torn"))
    moved = Note("\x0ftorn", SALT[:-1])  # the same bytes are hashed, but they are cut elsewhere
    assert not is_committed(moved, note_commitment(SALT, "torn"))


def test_without_a_note_there_is_no_commitment() -> None:
    """An event without a note has no commitment, and no note agrees with it."""
    assert note_commitment(b"", "") == note_commitment(SALT, "") == b""
    assert not is_committed(Note("", b""), b"")
    assert not is_committed(Note("", SALT), b"")
