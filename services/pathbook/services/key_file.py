"""The file of the keys of the codes: it is read, made with a first key, and given one more, and never loses a key."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pathbook.keys.files import make_file, written_beside
from pathbook.ledger.serials import (
    KEY_BYTES,
    MAX_KEYS,
    BookKey,
    KeyRing,
    key_ring,
    parse_key_ring,
    print_key_ring,
)

KEY_FILE: Final = "codes.key"
"""The keys that codes are made with. It lies beside the log, never in it, and only its owner may read the file."""

SECRETS_DIRECTORY: Final = "secrets"
"""The directory in a data directory that holds its secrets, if there is one. It may be another disk, so that a copy of
the books is no copy of their keys."""


def secrets_of(data: Path) -> Path:
    """Return where the secrets of a data directory lie: the keys, what was signed last, and the operator's token.

    They lie beside the books, or in SECRETS_DIRECTORY if it was there before they were made. A directory that has its
    keys beside the books keeps them there, until an operator moves them.
    """
    apart = data / SECRETS_DIRECTORY
    return apart if apart.is_dir() and not (data / KEY_FILE).exists() else data


def keys_of(data: Path) -> Path:
    """Return the file of the keys of the codes of a data directory."""
    return secrets_of(data) / KEY_FILE


class UnusableKeyError(Exception):
    """There are books here, but the keys of their codes are missing, damaged, or others.

    Attributes:
        problem: what is wrong with the file, without its place.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} {problem}. Without the right key, the codes printed so far cannot be read."
            " Restore the file from your backup, or copy it from another server of these books."
            " Nothing was changed. No new key was made, because it would print other codes."
        )
        self.problem = problem


class KeyFileFullError(Exception):
    """The file has as many keys as a file may have."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} has {MAX_KEYS} keys, the most that are read. Nothing was changed. Begin another book."
        )


def read_keys(path: Path) -> KeyRing:
    """Return the keys in a file.

    Raises:
        UnusableKeyError: the file is missing, or is not a key file.
        OSError: the file cannot be read.
    """
    try:
        return parse_key_ring(path.read_text("ascii"))
    except FileNotFoundError:
        raise UnusableKeyError(path, "is missing") from None
    except ValueError as error:
        raise UnusableKeyError(path, f"cannot be used ({error})") from None


def make_key(path: Path, key: BookKey | None = None) -> None:
    """Make a file with a key, by default a new one, atomically, unless there is a file. Of two processes at once, the
    first makes it.

    Raises:
        OSError: the file cannot be written.
    """
    text = print_key_ring(key_ring([key or _new_key()]))
    with contextlib.suppress(FileExistsError):  # another server was first
        make_file(path, text)


def add_key(path: Path) -> KeyRing:
    """Add a new key to a file, atomically, and return all keys. The keys before it stay.

    Raises:
        UnusableKeyError: the file is missing, or is not a key file.
        KeyFileFullError: the file has MAX_KEYS keys.
        OSError: the file cannot be read or written.
    """
    with locked(path):  # of two commands at once, the second adds to what the first wrote
        keys = read_keys(path).by_fingerprint.values()
        if len(keys) == MAX_KEYS:
            raise KeyFileFullError(path)
        ring = key_ring([*keys, _new_key()])
        with written_beside(path, print_key_ring(ring)) as written:
            written.replace(path)
        return ring


def _new_key() -> BookKey:
    return BookKey(secrets.token_bytes(KEY_BYTES))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes and threads out that change a key file. What the block made in its directory is on disk
    then.

    Raises:
        OSError: the directory cannot be opened or flushed.
    """
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
        os.fsync(directory)
    finally:
        os.close(directory)
