"""Private keys of Ed25519 (RFC 8032), which show themselves by their public keys only, and their line in a file."""

import secrets
from typing import Final

from nacl.signing import SigningKey

from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, print_base64

SEED_BYTES: Final = 32
"""How many random bytes a key is made from (RFC 8032, section 5.1.5)."""


def new_seed() -> bytes:
    """Return the random bytes of a new key."""
    return secrets.token_bytes(SEED_BYTES)


class PrivateKey:
    """A private key.

    Attributes:
        public: its public key, 32 bytes.
    """

    def __init__(self, seed: bytes) -> None:
        """Make the key of a seed of SEED_BYTES."""
        self._key = SigningKey(seed)
        self.public = bytes(self._key.verify_key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.public.hex()})"

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes. It is always the same one (RFC 8032)."""
        return self._key.sign(message).signature

    def seed(self) -> bytes:
        """Return the secret bytes that the key is made from."""
        return bytes(self._key)

    def line(self, header: str, public: str) -> str:
        """Return the line of a file: what it is, the seed, and the public key as ``public``, which tells damage."""
        return f"{header} {print_base64(self.seed())} {public}\n"


def parse_line(text: str, header: str, what: str) -> tuple[bytes, str]:
    """Return the seed and the public key in the line of a file. The caller compares them.

    Raises:
        MalformedTextError: it is no such line. The message says that it is no ``what``.
    """
    words = text.split()
    if len(words) != len((header, "seed", "public")) or words[0] != header:
        raise MalformedTextError(f"it is no {what}")
    return parse_base64(words[1], "the key in it", SEED_BYTES), words[2]


def require_pair(*, fits: bool) -> None:
    """Raise MalformedTextError unless the public key in a file fits its seed."""
    if not fits:
        raise MalformedTextError("its two halves do not belong together")
