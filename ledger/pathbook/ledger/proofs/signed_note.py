"""Signed notes (c2sp.org/signed-note): a text and signature lines, and the keys that verify them."""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Final, Self

import msgspec

from pathbook.ledger.proofs.ed25519 import is_signed, is_weak
from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, print_base64
from pathbook.ledger.values import KEY_BYTES

MAX_BYTES: Final = 1_000_000
"""The most bytes of a note. It is refused above, before it is parsed."""

MAX_SIGNATURES: Final = 128
"""The most signature lines of a note. The specification demands 16 at least."""

ED25519: Final = 0x01
"""The type of a signature of a log over the text of the note."""

COSIGNATURE: Final = 0x04
"""The type of a cosignature of a witness by Ed25519, over the text and a time."""

SUBTREE_COSIGNATURE: Final = 0x06
"""The type of a cosignature of a witness by ML-DSA-44, over origin, size, root and a time."""

_KEY_BYTES: Final = {ED25519: KEY_BYTES, COSIGNATURE: KEY_BYTES, SUBTREE_COSIGNATURE: 1312}
_ID_BYTES: Final = 4
_DASH: Final = "\u2014 "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NOT_IN_NAMES: Final = re.compile(r"[\s+\x00-\x1f\x7f]")

Sign = Callable[[bytes], bytes]
"""Signs a message with a private key that only the signer knows, by Ed25519."""


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key with the name of its owner: what c2sp.org/signed-note calls a vkey.

    Attributes:
        name: of a log, its origin; of a witness, a name of its own.
        type: one of ED25519, COSIGNATURE, SUBTREE_COSIGNATURE.
        key: the public key, 32 bytes, or 1,312 of ML-DSA-44.
    """

    name: str
    type: int
    key: bytes

    @property
    def id(self) -> bytes:
        """The first 4 bytes of SHA-256(name | newline | type | key). They find a key, and prove nothing."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.key).digest()[:_ID_BYTES]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that a text names, as NAME+ID+KEY.

        Raises:
            MalformedTextError: it is no such text, its id is not that of the key, or the key is weak.
        """
        name, _, rest = text.partition("+")
        identifier, _, material = rest.partition("+")
        require_name(name)
        data = parse_base64(material, "The key")
        if not data or data[0] not in _KEY_BYTES or len(data) != 1 + _KEY_BYTES[data[0]]:
            raise MalformedTextError("The key is of no known type, or has not the length of its type.")
        key = cls(name, data[0], data[1:])
        if key.type != SUBTREE_COSIGNATURE and is_weak(key.key):
            raise MalformedTextError("The key is weak: a signature of it would prove nothing.")
        if identifier != key.id.hex():
            raise MalformedTextError(f"The id of the key is {key.id.hex()}, not {identifier[:16]}.")
        return key

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return f"{self.name}+{self.id.hex()}+{print_base64(bytes([self.type]) + self.key)}"


class NoteSignature(msgspec.Struct, frozen=True):
    """A signature line: the name and the id of a key, and its signature, of which only the key knows the form."""

    name: str
    id: bytes
    signature: bytes

    def is_by(self, key: VerifierKey) -> bool:
        """Tell whether the line names a key. Others may have the same id, so the signature must still be verified."""
        return self.name == key.name and self.id == key.id

    def __str__(self) -> str:
        """Return the line, without its newline."""
        return f"{_DASH}{self.name} {print_base64(self.id + self.signature)}"


class SignedNote(msgspec.Struct, frozen=True):
    """A text, which ends in a newline, and its signature lines."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __str__(self) -> str:
        """Return the note as it is sent."""
        return f"{self.text}\n" + "".join(f"{line}\n" for line in self.signatures)

    def with_signatures(self, lines: Iterable[NoteSignature]) -> "SignedNote":
        """Return the note with further signature lines. One that it has is not repeated."""
        further = tuple(line for line in dict.fromkeys(lines) if line not in self.signatures)
        return SignedNote(self.text, self.signatures + further)

    def is_signed_by(self, key: VerifierKey) -> bool:
        """Tell whether a log signed the note with a key of type ED25519. One false signature of it spoils the note."""
        lines = [line for line in self.signatures if line.is_by(key)]
        return bool(lines) and all(is_signed(key.key, line.signature, self.text.encode()) for line in lines)


def sign_note(text: str, key: VerifierKey, sign: Sign) -> SignedNote:
    """Sign a text with the private key of a log's public key."""
    assert text.endswith("\n"), "the text of a note ends in a newline"
    return SignedNote(text, (NoteSignature(key.name, key.id, sign(text.encode())),))


def parse_note(data: bytes) -> SignedNote:
    """Return the note that was printed as these bytes. Nothing of it is to be believed before it is verified.

    Raises:
        MalformedTextError: they are no signed note, or more than MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise MalformedTextError(f"The note has {len(data)} bytes. The most are {MAX_BYTES}.")
    try:
        printed = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedTextError("The note is not UTF-8.") from None
    if _CONTROL.search(printed):
        raise MalformedTextError("The note has control characters.")
    text, separator, lines = printed.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise MalformedTextError("The note has no signature lines after an empty line.")
    return SignedNote(text + "\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Return the signatures of lines that end in a newline each. Raises MalformedTextError."""
    found = lines.split("\n")[:-1]
    if not 1 <= len(found) <= MAX_SIGNATURES:
        raise MalformedTextError(f"The note has {len(found)} signature lines, not 1 to {MAX_SIGNATURES}.")
    return tuple(map(_parse_signature, found))


def require_name(name: str) -> None:
    """Raise MalformedTextError unless a name may be that of a key: no spaces, no plus, no control characters."""
    if not name or _NOT_IN_NAMES.search(name):
        raise MalformedTextError(
            "A name of a key has no spaces, no '+' and no control characters, and is not empty."
        )


def _parse_signature(line: str) -> NoteSignature:
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator:
        raise MalformedTextError("A signature line is a dash, a name and a signature.")
    require_name(name)
    data = parse_base64(encoded, "A signature")
    if len(data) <= _ID_BYTES:
        raise MalformedTextError("A signature has no more than the id of its key.")
    return NoteSignature(name, data[:_ID_BYTES], data[_ID_BYTES:])
