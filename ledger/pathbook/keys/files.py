"""Files of secrets: only their owner may read them, they appear whole, and none is overwritten."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def make_file(path: Path, text: str) -> None:
    """Make a file with a text. It appears whole and on disk, or not at all.

    Raises:
        FileExistsError: there is a file. It is left as it is.
        OSError: the file cannot be written.
    """
    with written_beside(path, text) as written:
        os.link(written, path)  # fails if there is one, also if another process made it just now


@contextlib.contextmanager
def written_beside(path: Path, text: str) -> Iterator[Path]:
    """Write a text to a temporary file beside a file, yield it when it is on disk, and remove it if it is left.

    Only its owner may read it.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def read_text(path: Path, most_bytes: int) -> str:
    """Return the text of a file, or one that is too long for the caller. Bytes that are no UTF-8 are replaced.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return file.read(most_bytes + 1).decode("utf-8", "replace")


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file, or make it. Its old or its new bytes are on disk whole, whatever happens; then its name is, too.

    No other process may replace it at the same time. Only its owner may read it.

    Raises:
        OSError: the new bytes may not be on disk.
    """
    partial = path.with_name(f"{path.name}.new")
    with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    flush_entry(path.parent)


def flush_entry(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
