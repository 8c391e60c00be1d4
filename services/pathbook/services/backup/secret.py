"""The keys in a backup, encrypted with a passphrase: those of the codes, compared with those in use, and of logs."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pathbook.ledger.serials import KeyRing, parse_key_ring, print_key_ring
from pathbook.services.backup.age import WrongPassphraseError, decrypt, encrypt
from pathbook.services.backup.errors import BackupError, Reason, damaged
from pathbook.services.log_key import LogKey, parse_log_key

Key = TypeVar("Key")


def encrypt_keys(ring: KeyRing, passphrase: str) -> bytes:
    """Return the keys of the codes, encrypted, and decrypted again before they count."""
    return _encrypted(print_key_ring(ring), passphrase)


def encrypt_log_key(key: LogKey, passphrase: str) -> bytes:
    """Return the key of the logs, encrypted, and decrypted again before it counts."""
    return _encrypted(key.printed(), passphrase)


def _encrypted(printed: str, passphrase: str) -> bytes:
    text = printed.encode("ascii")
    data = encrypt(text, passphrase)
    assert decrypt(data, passphrase) == text
    return data


def decrypt_keys(path: Path, passphrase: str) -> KeyRing:
    """Return the keys of the codes in a file of a backup.

    Raises:
        BackupError: the passphrase is another one, or the file is damaged.
        OSError: the file cannot be read.
    """
    return _decrypted(path, passphrase, parse_key_ring)


def decrypt_log_key(path: Path, passphrase: str) -> LogKey:
    """Return the key of the logs in a file of a backup. Raises as `decrypt_keys`."""
    return _decrypted(path, passphrase, parse_log_key)


def _decrypted(path: Path, passphrase: str, parse: Callable[[str], Key]) -> Key:
    try:
        return parse(decrypt(path.read_bytes(), passphrase).decode("ascii"))
    except WrongPassphraseError as error:
        raise BackupError(Reason.KEYS_LOCKED, place=path) from error
    except ValueError as error:
        raise damaged(path.parent, f"{path.name} holds no keys ({error})") from error


def require_beginning(ring: KeyRing, in_use: list[str], where: str) -> None:
    """Refuse keys that do not begin with those in use.

    Raises:
        BackupError: they are of other books, or older than these books.
    """
    names = [name.hex() for name in ring.fingerprints]
    if names[: len(in_use)] != in_use:
        missing = next((name for name in in_use if name not in names), "")
        what = (
            f"{where} lacks key {missing}, which the books use."
            if missing
            else f"{where} has the keys of the books in another order."
        )
        raise BackupError(Reason.KEYS_DIFFER, what=what, do="Give the file with the keys of these books.")
