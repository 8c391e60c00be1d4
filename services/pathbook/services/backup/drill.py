"""A drill: it opens the keys of a backup with their passphrase, and compares them with those in use."""

from pathlib import Path

import msgspec

from pathbook.services import log_key
from pathbook.services.backup.errors import BackupError, Reason
from pathbook.services.backup.manifest import KEYS_FILE, LOG_KEY_FILE, check_files, read_manifest
from pathbook.services.backup.secret import decrypt_keys, decrypt_log_key
from pathbook.services.key_file import KEY_FILE, read_keys, secrets_of


class DrilledKey(msgspec.Struct, frozen=True):
    """A key in use, and whether the backup has it.

    Attributes:
        file: the name of the file that holds the key.
        name: the fingerprint of a key of the codes, in hexadecimal; the public key of the logs, in base64.
        in_backup: whether the backup gives it back.
    """

    file: str
    name: str
    in_backup: bool


def drill(origin: Path, data: Path, passphrase: str) -> list[DrilledKey]:
    """Return the keys in use, oldest first, each with whether a backup has it.

    Args:
        origin: the directory of the backup.
        data: the directory of the keys in use.
        passphrase: of the keys in the backup.

    Raises:
        BackupError: the backup holds no keys, the passphrase does not open them, or the backup is damaged.
        pathbook.services.key_file.UnusableKeyError: the keys in use cannot be read.
        pathbook.services.signing.SigningError: the key of the logs in use cannot be read.
        OSError: a file cannot be read.
    """
    manifest = read_manifest(origin)
    if manifest.keys == "left out":
        what = f"The backup {origin} holds no keys."
        raise BackupError(Reason.KEYS_DIFFER, what=what, do="Make a backup with a passphrase.")
    check_files(origin, manifest)
    saved = decrypt_keys(origin / KEYS_FILE, passphrase).by_fingerprint
    apart = secrets_of(data)
    used = read_keys(apart / KEY_FILE).fingerprints
    found = [DrilledKey(KEY_FILE, name.hex(), name in saved) for name in used]
    if (apart / log_key.LOG_KEY_FILE).exists():
        own = log_key.read_log_key(apart / log_key.LOG_KEY_FILE)
        has_one = any(entry.name == LOG_KEY_FILE for entry in manifest.files)
        is_same = has_one and decrypt_log_key(origin / LOG_KEY_FILE, passphrase).public == own.public
        found.append(DrilledKey(log_key.LOG_KEY_FILE, log_key.public_text(own), is_same))
    return found
