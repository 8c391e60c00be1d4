"""The key of a witness: an Ed25519 key in a file of its own, which only its owner may read."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from pathbook.ledger.proofs.signed_note import COSIGNATURE, VerifierKey, require_name
from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, print_base64

SEED_BYTES: Final = 32
"""How many random bytes a key is made from (RFC 8032, section 5.1.5)."""

MAX_BYTES: Final = 4_096
"""The most bytes of the file. It has one line."""

_HEADER: Final = "pathbook-witness-key@v1"


class WitnessKey:
    """A private key with the name of its witness. It shows itself by its public key only."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Make the key of a seed of SEED_BYTES."""
        self._key = SigningKey(seed)
        self.verifier = VerifierKey(name, COSIGNATURE, bytes(self._key.verify_key))

    def __repr__(self) -> str:
        return f"WitnessKey({self.verifier})"

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes. It is always the same one (RFC 8032)."""
        return self._key.sign(message).signature

    def printed(self) -> str:
        """Return the text of the file. The public key tells damage of the seed."""
        return f"{_HEADER} {print_base64(bytes(self._key))} {self.verifier}\n"


def make_witness_key(path: Path, name: str) -> WitnessKey:
    """Make a file with a new key. It appears whole and on disk, or not at all.

    Raises:
        MalformedTextError: no key may have that name.
        FileExistsError: there is a file. It is left as it is.
        OSError: the file cannot be written.
    """
    require_name(name)
    key = WitnessKey(name, secrets.token_bytes(SEED_BYTES))
    descriptor, written = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(key.printed())
            file.flush()
            os.fsync(file.fileno())
        os.link(written, path)
    finally:
        Path(written).unlink()
    return key


def read_witness_key(path: Path) -> WitnessKey:
    """Return the key in a file.

    Raises:
        MalformedTextError: it is no file of a key, or it is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1).decode("utf-8", "replace")
    words = text.split()
    if len(words) != len((_HEADER, "seed", "key")) or words[0] != _HEADER or len(text) > MAX_BYTES:
        raise MalformedTextError("it is no key of a witness")
    named = VerifierKey.parse(words[2])
    key = WitnessKey(named.name, parse_base64(words[1], "the key in it", SEED_BYTES))
    if key.verifier != named:
        raise MalformedTextError("its two halves do not belong together")
    return key
