"""The files of a published log. Each appears whole and on disk, or not at all."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pathbook.ledger.proofs.tiles import WIDTH, Tile, bundle_path, tile_number
from pathbook.ledger.proofs.tree import HASH_BYTES

CHECKPOINT: Final = "checkpoint"
"""The file of the signed note. It is written last, and names only tiles that are there."""

_LENGTH_BYTES: Final = 2


class PublishError(Exception):
    """A log was not published. The message says why, and what to do.

    Attributes:
        reason: the name for scripts.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Directory:
    """A directory of a published log."""

    def __init__(self, path: Path) -> None:
        """Use a directory. It is made when the first file is written."""
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other publishers out.

        Raises:
            PublishError: one is at work.
            OSError: the directory cannot be made or opened.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        opened = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = (
                    f"Another command publishes to {self.path}. Wait until it ends, then run this one again."
                )
                raise PublishError("PUBLISHER_BUSY", message) from None
            yield
        finally:
            os.close(opened)

    def checkpoint(self) -> bytes | None:
        """Return the published note, or None if there is none."""
        try:
            return (self.path / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None

    def hashes(self, level: int, number: int, width: int) -> bytes:
        """Return the first hashes of a tile, from the full tile or a partial one of this width.

        Raises:
            PublishError: the file is missing, or too short.
        """
        for path in (Tile(level, number, WIDTH).path, Tile(level, number, width).path):
            with contextlib.suppress(FileNotFoundError):
                found = (self.path / path).read_bytes()
                if len(found) >= width * HASH_BYTES:
                    return found[: width * HASH_BYTES]
        raise damaged(self.path, f"{Tile(level, number, width).path} is missing or cut")

    def has(self, path: str) -> bool:
        """Tell whether a file is there."""
        return (self.path / path).is_file()

    def write(self, path: str, data: bytes) -> None:
        """Write a file, or replace it. Other users may read it.

        Raises:
            OSError: it cannot be written.
        """
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.new")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)

    def remove_partial(self, level: int, number: int) -> None:
        """Remove the partial forms of a tile that is full, and of the bundle of its entries if it has one."""
        names = [f"tile/{level}/{tile_number(number)}.p"]
        if level == 0 and self.has(bundle_path(number, WIDTH)):
            names.append(f"tile/entries/{tile_number(number)}.p")
        for name in names:
            shutil.rmtree(self.path / name, ignore_errors=True)


def bundle_of(entries: list[bytes]) -> bytes:
    """Return a bundle of entries: each with its length before it, in two bytes. An event is short enough for that."""
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES) + entry for entry in entries)


def damaged(path: Path, what: str) -> PublishError:
    """Return the error for a directory that cannot be continued."""
    return PublishError(
        "DIRECTORY_DAMAGED",
        f"{path} is not what was published: {what}. Nothing was published. Publish to a new directory, and put it in"
        " the place of this one.",
    )
