"""Directories that come to be whole or not at all: filled under a temporary name, flushed, and renamed at the end."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pathbook.keys.files import flush_entry

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


@contextlib.contextmanager
def appearing(target: Path, suffix: str) -> Iterator[Path]:
    """Yield a temporary directory beside a target. At the end of the block it is flushed, and gets the target's name.

    If the block raises, the directory is removed. If the process is killed, it stays under its temporary name, which
    begins with a dot and contains ``suffix``. The target may be an empty directory.

    Raises:
        OSError: the directory cannot be made or renamed, or the disk is full.
    """
    made = Path(
        tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.{suffix}-")
    )  # only its owner may enter
    try:
        yield made
        flush(made)
        made.rename(target)
        flush_entry(target.parent)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def flush(directory: Path) -> None:
    """Make the files of a directory private, and wait until they are on the disk."""
    for path in directory.iterdir():
        path.chmod(PRIVATE_FILE)
        flush_entry(path)
    flush_entry(directory)


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def is_empty(path: Path) -> bool:
    """Tell whether a directory has nothing in it."""
    return next(path.iterdir(), None) is None
