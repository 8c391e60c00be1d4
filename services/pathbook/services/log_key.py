"""The key of the logs: an Ed25519 key in a file beside the books, never in a database, which signs their checkpoints.

All books of a directory are signed with one key. Each book has an origin of its own, which is the name of the key in
its checkpoints, so no signature is of two books.
"""

import os
from pathlib import Path
from typing import Final

from pathbook.keys.files import make_file
from pathbook.keys.signing_key import PrivateKey, new_seed, parse_line, require_pair
from pathbook.ledger.proofs.signed_note import ED25519, VerifierKey
from pathbook.ledger.proofs.text import MalformedTextError, print_base64
from pathbook.services.key_file import locked
from pathbook.services.signing import Reason, SigningError

LOG_KEY_FILE: Final = "log.key"
"""The key. Only its owner may read the file."""

LAST_CHECKPOINT_FILE: Final = "log.checkpoint"
"""The last checkpoint of each book that was signed with the key. It is made before the key, and is empty then."""

_HEADER: Final = "pathbook-log-key@v1"


class LogKey(PrivateKey):
    """The private key of the logs. It shows itself by its public key only."""

    def verifier(self, origin: str) -> VerifierKey:
        """Return the public key under the name of a book's origin."""
        return VerifierKey(origin, ED25519, self.public)

    def printed(self) -> str:
        """Return the text of the file. The public key tells damage of the seed."""
        return self.line(_HEADER, print_base64(self.public))


def read_log_key(path: Path) -> LogKey:
    """Return the key in a file.

    Raises:
        SigningError: KEY_MISSING, or KEY_UNUSABLE.
        OSError: the file cannot be read.
    """
    try:
        return parse_log_key(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SigningError(Reason.KEY_MISSING, place=path) from None
    except ValueError as error:
        what = str(error) if isinstance(error, MalformedTextError) else "it is no text"
        raise SigningError(Reason.KEY_UNUSABLE, place=path, what=what) from None


def make_log_key(path: Path, key: LogKey | None = None) -> None:
    """Make a file with a key, and the empty file of what was signed with it, unless there is one of both.

    The key is a new one by default.

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
        make_file(path, (key or LogKey(new_seed())).printed())


def public_text(key: LogKey) -> str:
    """Return the public key as text. Its books have it, under the names of their origins."""
    return print_base64(key.public)


def parse_log_key(text: str) -> LogKey:
    """Return the key that was printed as this text. Raises MalformedTextError."""
    seed, public = parse_line(text, _HEADER, "log key")
    key = LogKey(seed)
    require_pair(fits=print_base64(key.public) == public)
    return key
