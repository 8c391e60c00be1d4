"""Cosignatures (c2sp.org/tlog-cosignature): what a witness signs about a checkpoint that it found consistent.

A cosignature has a time, in seconds since 1970 UTC. Type 0x04 is by Ed25519. Type 0x06 is by ML-DSA-44 (FIPS 204), for
which the caller gives the verification, because it needs a library that not every installation has.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.ed25519 import is_signed
from pathbook.ledger.proofs.signed_note import (
    COSIGNATURE,
    SUBTREE_COSIGNATURE,
    NoteSignature,
    Sign,
    SignedNote,
    VerifierKey,
)
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.values import SIGNATURE_BYTES

_TIME_BYTES: Final = 8
_MAX_TIME: Final = 2**63 - 1
_ML_DSA_44_BYTES: Final = 2_420
_MAX_NAME: Final = 255
_SUBTREE_LABEL: Final = b"subtree/v1\n\x00"

VerifyMlDsa: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Tells whether a signature by ML-DSA-44 is valid, of a key, a signature and a message."""


def cosign(note: SignedNote, key: VerifierKey, time: int, sign: Sign) -> NoteSignature:
    """Return the line with which a witness cosigns a checkpoint, by Ed25519, at a time."""
    assert key.type == COSIGNATURE, "a witness has a key for cosignatures"
    return NoteSignature(key.name, key.id, time.to_bytes(_TIME_BYTES, "big") + sign(_message(note, time)))


def cosigned_at(note: SignedNote, key: VerifierKey, verify_ml_dsa: VerifyMlDsa | None = None) -> int | None:
    """Return the last time at which a witness cosigned a checkpoint, None if it did not, or falsely.

    A witness whose key is of ML-DSA-44 did not cosign as far as can be told without ``verify_ml_dsa``.
    """
    times = []
    for line in note.signatures:
        if line.is_by(key):
            time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
            if time > _MAX_TIME or not _is_cosigned(note, line, key, time, verify_ml_dsa):
                return None
            times.append(time)
    return max(times, default=None)


def _is_cosigned(
    note: SignedNote, line: NoteSignature, key: VerifierKey, time: int, verify_ml_dsa: VerifyMlDsa | None
) -> bool:
    signature = line.signature[_TIME_BYTES:]
    if key.type == COSIGNATURE:
        return len(signature) == SIGNATURE_BYTES and is_signed(key.key, signature, _message(note, time))
    if key.type == SUBTREE_COSIGNATURE and verify_ml_dsa is not None and len(signature) == _ML_DSA_44_BYTES:
        message = _subtree_message(note, key.name, time)
        return message is not None and verify_ml_dsa(key.key, signature, message)
    return False


def _message(note: SignedNote, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{note.text}".encode()


def _subtree_message(note: SignedNote, name: str, time: int) -> bytes | None:
    """Return what is signed by ML-DSA-44. Nothing can be of a note that is no checkpoint, or has a longer name."""
    try:
        checkpoint = Checkpoint.parse(note.text)
    except MalformedTextError:
        return None
    if max(len(checkpoint.origin.encode()), len(name.encode())) > _MAX_NAME:
        return None
    parts = [_SUBTREE_LABEL, _short(name), time.to_bytes(8, "big"), _short(checkpoint.origin)]
    return b"".join([*parts, bytes(8), checkpoint.size.to_bytes(8, "big"), checkpoint.root])


def _short(text: str) -> bytes:
    """Return a text of at most 255 bytes after its length (RFC 8446, section 3.4)."""
    data = text.encode()
    return bytes([len(data)]) + data
