"""The key of a witness: an Ed25519 key in a file of its own, which only its owner may read."""

from pathlib import Path
from typing import Final

from pathbook.keys.files import make_file, read_text
from pathbook.keys.signing_key import PrivateKey, new_seed, parse_line, require_pair
from pathbook.ledger.proofs.signed_note import COSIGNATURE, VerifierKey, require_name

MAX_BYTES: Final = 4_096
"""The most bytes of the file. It has one line."""

_HEADER: Final = "pathbook-witness-key@v1"


class WitnessKey(PrivateKey):
    """A private key with the name of its witness. It shows itself by its public key only."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Make the key of a seed of SEED_BYTES."""
        super().__init__(seed)
        self.verifier = VerifierKey(name, COSIGNATURE, self.public)

    def printed(self) -> str:
        """Return the text of the file. The public key tells damage of the seed."""
        return self.line(_HEADER, str(self.verifier))


def make_witness_key(path: Path, name: str) -> WitnessKey:
    """Make a file with a new key. It appears whole and on disk, or not at all.

    Raises:
        MalformedTextError: no key may have that name.
        FileExistsError: there is a file. It is left as it is.
        OSError: the file cannot be written.
    """
    require_name(name)
    key = WitnessKey(name, new_seed())
    make_file(path, key.printed())
    return key


def read_witness_key(path: Path) -> WitnessKey:
    """Return the key in a file.

    Raises:
        MalformedTextError: it is no file of a key, or it is damaged.
        OSError: the file cannot be read.
    """
    text = read_text(path, MAX_BYTES)
    seed, printed = parse_line(text if len(text) <= MAX_BYTES else "", _HEADER, "key of a witness")
    named = VerifierKey.parse(printed)
    key = WitnessKey(named.name, seed)
    require_pair(fits=key.verifier == named)
    return key
