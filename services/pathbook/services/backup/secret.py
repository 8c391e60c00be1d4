"""The keys of the codes in a backup: encrypted with a passphrase, and compared with those in use."""

from pathlib import Path

from pathbook.ledger.serials import KeyRing, parse_key_ring, print_key_ring
from pathbook.services.backup.age import WrongPassphraseError, decrypt, encrypt
from pathbook.services.backup.errors import BackupError, Reason, damaged


def encrypt_keys(ring: KeyRing, passphrase: str) -> bytes:
    """Return the keys, encrypted, and decrypted again before they count."""
    text = print_key_ring(ring).encode("ascii")
    data = encrypt(text, passphrase)
    assert decrypt(data, passphrase) == text
    return data


def decrypt_keys(path: Path, passphrase: str) -> KeyRing:
    """Return the keys in a file of a backup.

    Raises:
        BackupError: the passphrase is another one, or the file is damaged.
        OSError: the file cannot be read.
    """
    try:
        return parse_key_ring(decrypt(path.read_bytes(), passphrase).decode("ascii"))
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
