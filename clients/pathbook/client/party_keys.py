"""The key of a party in this process, and its file, which a passphrase opens."""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from nacl import pwhash, secret
from nacl.exceptions import CryptoError
from nacl.utils import random

from pathbook.keys.files import make_file, read_text
from pathbook.keys.signing_key import SEED_BYTES, PrivateKey, new_seed
from pathbook.ledger.proofs.text import (
    MalformedTextError,
    parse_base64,
    parse_decimal,
    parse_value,
    print_base64,
)
from pathbook.ledger.values import KEY_BYTES

HEADER: Final = "pathbook party key v1"
"""The first line of a key file."""

MAX_BYTES: Final = 4_096
"""The most bytes of a key file. It has seven short lines."""

PASSES: Final = 3
"""How often a new file has argon2id pass over its memory (RFC 9106, section 4, the second recommended option)."""

MEMORY_KIB: Final = 64 * 1024
"""How much memory argon2id then takes."""

MAX_PASSES: Final = 16
"""The most passes that a file may ask for. A file is read before it is trusted."""

MAX_MEMORY_KIB: Final = 1024 * 1024
"""The most memory that a file may ask for."""

_KDF: Final = "argon2id"
_MIN_MEMORY_KIB: Final = 8


class WrongPassphraseError(ValueError):
    """A passphrase does not open a key file, or the file was changed: the cipher does not tell which."""


class PartyKey:
    """A private key of a party in this process, which signs for one book. It shows itself by its public key only.

    Args:
        origin: The origin of the book, as ``get_book`` returns it.
        party: Id of the party. "" for the operator of the book.
        seed: The 32 secret bytes of the key. Leave it out to make a new one.
        recovery_key: The public key that may undo a hostile rotation, b"" for none.

    Raises:
        ValueError: The seed has not 32 bytes.

    Attributes:
        origin: The origin of the book, as given.
        party: The id of the party, as given.
        key: The public key, 32 bytes.
        recovery_key: The public key that may recover, as given.

    Example:
        >>> operator, acme = PartyKey("acme.example/masks", ""), PartyKey("acme.example/masks", "acme")
        >>> len(acme.key), len(acme.sign(b"a message"))
        (32, 64)
    """

    def __init__(self, origin: str, party: str, seed: bytes | None = None, recovery_key: bytes = b"") -> None:
        self._private = PrivateKey(new_seed() if seed is None else seed)
        self.origin = origin
        self.party = party
        self.key = self._private.public
        self.recovery_key = recovery_key

    def __repr__(self) -> str:
        return f"PartyKey({self.origin!r}, {self.party!r}, key={self.key.hex()})"

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes. It is always the same one."""
        return self._private.sign(message)

    def seed(self) -> bytes:
        """Return the 32 secret bytes of the key, to keep them elsewhere. With them, another can sign as the party."""
        return self._private.seed()


class PublicPart(NamedTuple):
    """What a key file shows without its passphrase. It is proven when the passphrase opens the file.

    Attributes:
        origin: The origin of the book.
        party: The id of the party. "" for the operator.
        key: The public key, 32 bytes.
        recovery_key: The public key that may recover, b"" for none.
    """

    origin: str
    party: str
    key: bytes
    recovery_key: bytes


def write_key_file(path: str | Path, key: PartyKey, passphrase: str) -> None:
    """Write a key to a new file, encrypted with a passphrase.

    Only its owner may read the file. It appears whole and on disk, or not at all, and no file is overwritten.

    Args:
        path: The file.
        key: The key.
        passphrase: The passphrase. It takes argon2id 64 MiB of memory to try one.

    Raises:
        FileExistsError: There is a file. It is left as it is.
        OSError: The file cannot be written.
        ValueError: The passphrase is empty, or the origin or the party has a line break.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/acme.key"
        >>> write_key_file(path, acme, "correct horse")
    """
    if not passphrase:
        raise ValueError("The passphrase is empty. It would protect nothing.")
    if not (key.origin + key.party).isprintable():
        raise ValueError(
            "The origin or the party has a line break, or another character that is not printed."
        )
    salt = random(pwhash.argon2id.SALTBYTES)
    public = "".join(
        f"{line}\n"
        for line in (
            HEADER,
            f"origin {key.origin}",
            f"party {key.party}",
            f"key {print_base64(key.key)}",
            f"recovery {print_base64(key.recovery_key)}",
            f"{_KDF} {PASSES} {MEMORY_KIB} {print_base64(salt)}",
        )
    )
    box = secret.SecretBox(_opened(passphrase, salt, PASSES, MEMORY_KIB))
    sealed = bytes(box.encrypt(key.seed() + _digest(public)))
    make_file(Path(path), f"{public}sealed {print_base64(sealed)}\n")


def read_key_file(path: str | Path, passphrase: str) -> PartyKey:
    """Return the key in a file.

    Args:
        path: The file.
        passphrase: The passphrase with which it was written.

    Returns:
        A PartyKey.

    Raises:
        WrongPassphraseError: The passphrase is another one, or the file was changed
            (``pathbook.client.party_keys``); it is a ValueError.
        MalformedTextError: It is no key file, or it is cut (``pathbook.ledger.proofs.text``); it is a ValueError.
        OSError: The file cannot be read.

    Example:
        >>> read_key_file(path, "correct horse").key == acme.key
        True
    """
    file = _File(Path(path))
    try:
        opened = secret.SecretBox(_opened(passphrase, file.salt, file.passes, file.memory)).decrypt(
            file.sealed
        )
    except CryptoError:
        raise WrongPassphraseError("The passphrase does not open it, or it was changed.") from None
    seed = opened[:SEED_BYTES]
    key = PartyKey(file.public.origin, file.public.party, seed, file.public.recovery_key)
    if opened[SEED_BYTES:] != _digest(file.text) or key.key != file.public.key:
        raise WrongPassphraseError("It was changed: its lines do not belong together.")
    return key


def read_public_part(path: str | Path) -> PublicPart:
    """Return what a key file shows without its passphrase.

    Args:
        path: The file.

    Returns:
        A PublicPart with ``origin``, ``party``, ``key`` and ``recovery_key``.

    Raises:
        MalformedTextError: It is no key file (``pathbook.ledger.proofs.text``); it is a ValueError.
        OSError: The file cannot be read.

    Example:
        >>> read_public_part(path).party
        'acme'
    """
    return _File(Path(path)).public


class _File:
    """A key file, read but not opened. What it asks of argon2id is within the limits."""

    def __init__(self, path: Path) -> None:
        text = read_text(path, MAX_BYTES)
        lines = text.split("\n")
        if len(text) > MAX_BYTES or lines[0] != HEADER:
            raise MalformedTextError("it is no key of a party")
        if len(lines) != len(_NAMES) + 2 or lines[-1]:
            raise MalformedTextError("it is a part of a key of a party, or more than one")
        origin, party, key, recovery, kdf = (
            parse_value(line, name) for line, name in zip(lines[1:], _NAMES[1:], strict=False)
        )
        words = kdf.split(" ")
        if len(words) != len(("passes", "memory", "salt")):
            raise MalformedTextError(f"it does not say how {_KDF} is used")
        self.text = "".join(f"{line}\n" for line in lines[: len(_NAMES)])
        self.public = PublicPart(
            origin,
            party,
            parse_base64(key, "its public key", KEY_BYTES),
            parse_base64(recovery, "its recovery key", KEY_BYTES if recovery else 0),
        )
        self.passes = parse_decimal(words[0], "the number of passes")
        self.memory = parse_decimal(words[1], "the memory")
        if not (1 <= self.passes <= MAX_PASSES and _MIN_MEMORY_KIB <= self.memory <= MAX_MEMORY_KIB):
            raise MalformedTextError(
                f"it asks {_KDF} for {self.passes} passes over {self.memory} KiB, and at most {MAX_PASSES} over"
                f" {MAX_MEMORY_KIB} are made"
            )
        self.salt = parse_base64(words[2], "its salt", pwhash.argon2id.SALTBYTES)
        sealed = parse_value(lines[len(_NAMES)], "sealed")
        overhead = secret.SecretBox.NONCE_SIZE + secret.SecretBox.MACBYTES
        length = overhead + SEED_BYTES + hashlib.sha256().digest_size
        self.sealed = parse_base64(sealed, "what is sealed in it", length)


_NAMES: Final = (HEADER, "origin", "party", "key", "recovery", _KDF)
"""How the lines begin that the seal covers."""


def _digest(text: str) -> bytes:
    """Return the hash of the lines in clear. It is sealed with the key, so that no other lines are put before it."""
    return hashlib.sha256(text.encode()).digest()


def _opened(passphrase: str, salt: bytes, passes: int, memory_kib: int) -> bytes:
    """Return the key of the cipher that a passphrase makes."""
    return pwhash.argon2id.kdf(
        secret.SecretBox.KEY_SIZE,
        passphrase.encode(),
        salt,
        opslimit=passes,
        memlimit=memory_kib * 1024,
    )
