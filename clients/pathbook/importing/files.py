"""Opening the file of a table: only regular files, no more bytes than it had at first, and bounded decompression."""

import contextlib
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

PACKED: Final = ".gz"
"""The suffix of a compressed CSV file, after `.csv`."""

MAX_INFLATION: Final = 200
"""How many times its size a compressed table may become. Real tables become 5 to 40 times as large, a bomb 1,000."""

FREE_INFLATION: Final = 64 * 1_024 * 1_024
"""How many bytes a compressed table may become in any case, so that small ones with equal rows are read."""

BUFFER: Final = 256 * 1_024
"""How many bytes are read from a file at once."""


class TableError(Exception):
    """A table cannot be read, or it lacks a column that the recipe names. The message names file and problem."""


class Stamp(NamedTuple):
    """What tells whether a file is still the same: its place on the disk, its size in bytes, its last change."""

    device: int
    inode: int
    size: int
    changed_ns: int


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a file.

    Raises:
        TableError: it is missing, or no regular file: reading a pipe or a device may never end.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise TableError(f"{path} is not a regular file. Save the table as a file, and import that.")
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def check_unchanged(path: Path, stamp: Stamp) -> None:
    """Raise TableError if a file is no longer the one that had this stamp."""
    if stamp_of(path) != stamp:
        raise TableError(f"{path} changed during the import. Import it again.")


def unreadable(path: Path, error: Exception) -> TableError:
    """Return the error for a file that the operating system, or its compression, does not let us read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return TableError(f"{path} cannot be read: {reason}.")


class Bytes(io.RawIOBase):
    """The bytes that a file had when it was stamped. `done` counts those that were read. Later ones are left alone."""

    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._size = size
        self.done = 0

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # any buffer will do
        """Read into a buffer. Return how many bytes were read, 0 at the end."""
        wanted = min(len(buffer), self._size - self.done)
        read = self._file.readinto(memoryview(buffer)[:wanted]) or 0
        self.done += read
        return read

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class _Inflated(io.RawIOBase):
    """The decompressed bytes of a gzip file, up to a bound."""

    def __init__(self, path: Path, packed: Bytes, size: int) -> None:
        self._path = path
        self._file = gzip.GzipFile(fileobj=io.BufferedReader(packed, BUFFER))
        self._left = FREE_INFLATION + MAX_INFLATION * size

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # any buffer will do
        """Read into a buffer. Return how many bytes were read, 0 at the end."""
        try:
            read = self._file.readinto(buffer)
        except (OSError, EOFError, zlib.error) as error:
            raise unreadable(self._path, error) from error
        self._left -= read
        if self._left < 0:
            raise TableError(
                f"{self._path} becomes more than {MAX_INFLATION} times as large when it is unpacked."
                " Unpack it yourself, look at it, and import the .csv file."
            )
        return read


@contextlib.contextmanager
def opened(path: Path, stamp: Stamp) -> Iterator[tuple[io.BufferedReader, Bytes]]:
    """Open the bytes of a table, decompressed if its name says so. The second value counts what was read of the file.

    Raises:
        TableError: it cannot be read, or becomes too large when it is unpacked. Also raised while reading.
    """
    try:
        raw = Bytes(path, stamp.size)
    except OSError as error:
        raise unreadable(path, error) from error
    with raw:
        inner = _Inflated(path, raw, stamp.size) if path.suffix.lower() == PACKED else raw
        yield io.BufferedReader(inner, BUFFER), raw


def is_writable_new(path: Path) -> bool:
    """Tell whether nothing has this name yet, not even a broken link."""
    return not os.path.lexists(path)
