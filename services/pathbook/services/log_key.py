"""The key of the logs: an Ed25519 key in a file beside the books, never in a database, which signs their checkpoints.

All books of a directory are signed with one key. Each book has an origin of its own, which is the name of the key in
its checkpoints, so no signature is of two books.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from pathbook.ledger.proofs.signed_note import ED25519, VerifierKey
from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, print_base64
from pathbook.services.key_file import locked, written_beside
from pathbook.services.signing import Reason, SigningError

LOG_KEY_FILE: Final = "log.key"
"""The key. Only its owner may read the file."""

LAST_CHECKPOINT_FILE: Final = "log.checkpoint"
"""The last checkpoint of each book that was signed with the key. It is made before the key, and is empty then."""

SEED_BYTES: Final = 32
"""How many random bytes a key is made from (RFC 8032, section 5.1.5)."""

_HEADER: Final = "pathbook-log-key@v1"


class LogKey:
    """A private key. It shows itself by its public key only."""

    def __init__(self, seed: bytes) -> None:
        """Make the key of a seed of SEED_BYTES."""
        self._key = SigningKey(seed)
        self.public = bytes(self._key.verify_key)

    def __repr__(self) -> str:
        return f"LogKey({self.public.hex()})"

    def verifier(self, origin: str) -> VerifierKey:
        """Return the public key under the name of a book's origin."""
        return VerifierKey(origin, ED25519, self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes. It is always the same one (RFC 8032)."""
        return self._key.sign(message).signature

    def printed(self) -> str:
        """Return the text of the file. The public key tells damage of the seed."""
        return f"{_HEADER} {print_base64(bytes(self._key))} {print_base64(self.public)}\n"


def read_log_key(path: Path) -> LogKey:
    """Return the key in a file.

    Raises:
        SigningError: KEY_MISSING, or KEY_UNUSABLE.
        OSError: the file cannot be read.
    """
    try:
        return _parse(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SigningError(Reason.KEY_MISSING, place=path) from None
    except ValueError as error:
        what = str(error) if isinstance(error, MalformedTextError) else "it is no text"
        raise SigningError(Reason.KEY_UNUSABLE, place=path, what=what) from None


def make_log_key(path: Path) -> None:
    """Make a file with a new key, and the empty file of what was signed with it, unless there is one of both.

    Of two processes at once, the first makes it.

    Raises:
        SigningError: KEY_MISSING, because the file of what was signed is there and is not empty.
        OSError: a file cannot be written.
    """
    if path.exists():
        return
    last = path.with_name(LAST_CHECKPOINT_FILE)
    with locked(path):
        if path.exists():
            return
        if last.exists() and last.stat().st_size:
            raise SigningError(Reason.KEY_MISSING, place=path)
        os.close(os.open(last, os.O_CREAT | os.O_WRONLY, 0o600))
        with written_beside(path, LogKey(secrets.token_bytes(SEED_BYTES)).printed()) as written:
            os.link(written, path)


def _parse(text: str) -> LogKey:
    words = text.split()
    if len(words) != len((_HEADER, "seed", "public")) or words[0] != _HEADER:
        raise MalformedTextError("it is no log key")
    key = LogKey(parse_base64(words[1], "the key in it", SEED_BYTES))
    if print_base64(key.public) != words[2]:
        raise MalformedTextError("its two halves do not belong together")
    return key
