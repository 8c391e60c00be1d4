"""Notes of people: an event commits to the text of its note, and the text itself lies where it can be erased.

The commitment is a hash of random bytes (the salt) and the text. A reader of both can compare them with the event. A
reader of the event alone cannot find the text, however short it is, because the salt lies with the text. So a text can
be erased, and every hash and proof of its event stays valid.
"""

import hashlib
from typing import Final

import msgspec

SALT_BYTES: Final = 16
"""How many random bytes are hashed with a note. 128 bits cannot be found by trying."""

COMMITMENT_BYTES: Final = 32
"""The length of a commitment, which is a SHA-256."""

_PREFIX: Final = (
    b"\x02"  # a leaf is hashed with 0x00 and the past of a run with 0x01, so no hash stands for another
)


class Note(msgspec.Struct, frozen=True, gc=False):
    """The text of a note, and the salt that its event's commitment was made with.

    ``author`` is the party or consumer that wrote it, as far as the writer of the log has to know. Readers do not.
    """

    text: str
    salt: bytes
    author: str = ""


def note_commitment(salt: bytes, text: str) -> bytes:
    """Return what an event says of a note: SHA-256(0x02 | salt | UTF-8 text), or nothing if there is no text.

    Raises:
        ValueError: the salt does not have SALT_BYTES bytes.
    """
    if not text:
        return b""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"the salt of a note has {len(salt)} bytes, not {SALT_BYTES}")
    return hashlib.sha256(_PREFIX + salt + text.encode()).digest()


def is_committed(note: Note, commitment: bytes) -> bool:
    """Tell whether a commitment is that of a note. A note has a text, and its salt has SALT_BYTES bytes."""
    is_note = note.text != "" and len(note.salt) == SALT_BYTES
    return is_note and note_commitment(note.salt, note.text) == commitment
