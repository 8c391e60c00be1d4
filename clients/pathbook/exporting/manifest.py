"""The manifest of an export: which files it has of which positions, their hashes, and the tree over the events.

A file of an export counts only if the manifest names it. So an export that is interrupted is as it was before.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pathbook.keys.files import flush_entry
from pathbook.ledger.proofs.tree import Frontier
from pathbook.ledger.reports.flat import FLAT_TABLES

MANIFEST: Final = "manifest.json"
"""The file of the manifest."""

FORMAT: Final = "pathbook.export@v1"
"""What the first field of a manifest says."""

_READ_BYTES: Final = 1 << 20


class ExportError(Exception):
    """An export cannot be made or used. The message says why, and what to do.

    Attributes:
        reason: the name for scripts.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ExportedFile(msgspec.Struct, frozen=True):
    """A file: its path within the export, its rows, its size, and its SHA-256 in hexadecimal."""

    path: str
    rows: int
    bytes: int
    sha256: str


class ExportedRange(msgspec.Struct, frozen=True):
    """A range of positions, both included, and the file of each table."""

    first: int
    last: int
    files: dict[str, ExportedFile]


class Manifest(msgspec.Struct, frozen=True):
    """What an export has.

    Attributes:
        format: FORMAT.
        program: the version of Pathbook that wrote it last.
        book: the name of the book at its server.
        origin: of the book.
        incarnation: of the book.
        through: the last position, 0 for none.
        root: of the tree over all events, RFC 6962, in hexadecimal.
        nodes: the roots of the complete subtrees of this tree, the largest first, to go on from.
        last_leaf: the leaf hash of the last event, "" for none.
        checkpoint: the newest signed checkpoint that was compared with the tree, "" for none.
        ranges: of positions, one after the other.
    """

    format: str
    program: str
    book: str
    origin: str
    incarnation: str = ""
    through: int = 0
    root: str = ""
    nodes: list[str] = []
    last_leaf: str = ""
    checkpoint: str = ""
    ranges: list[ExportedRange] = []

    @property
    def frontier(self) -> Frontier:
        """The right edge of the tree over the exported events."""
        return Frontier(self.through, [bytes.fromhex(node) for node in self.nodes])

    def rows(self, table: str) -> int:
        """Return how many rows a table has."""
        return sum(part.files[table].rows for part in self.ranges)


class Export:
    """The directory of an export."""

    def __init__(self, path: Path) -> None:
        """Use a directory. It is made when the first export is."""
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other exporters out.

        Raises:
            ExportError: EXPORT_BUSY.
            OSError: the directory cannot be made or opened.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        opened = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = (
                    f"Another command exports to {self.path}. Wait until it ends, then run this one again."
                )
                raise ExportError("EXPORT_BUSY", message) from None
            yield
        finally:
            os.close(opened)

    def find(self) -> Manifest | None:
        """Return the manifest, None if there is none.

        Raises:
            ExportError: EXPORT_DAMAGED, or EXPORT_NEWER if a newer program wrote it.
            OSError: it cannot be read.
        """
        try:
            data = (self.path / MANIFEST).read_bytes()
        except FileNotFoundError:
            return None
        try:
            if (found := msgspec.json.decode(data, type=_AnyManifest).format) != FORMAT:
                message = (
                    f"{self.path} is an export of the format '{found}', and this program reads '{FORMAT}'."
                )
                raise ExportError("EXPORT_NEWER", message)
            manifest = msgspec.json.decode(data, type=Manifest)
            if manifest.through and manifest.frontier.root().hex() != manifest.root:
                raise self.damaged("its manifest does not hold together")
        except (msgspec.MsgspecError, ValueError) as error:
            raise self.damaged(f"its manifest cannot be read ({error})") from None
        return manifest

    def read(self) -> Manifest:
        """Return the manifest of an export that must be whole: each file is there with its size.

        Raises:
            ExportError: EXPORT_MISSING, EXPORT_DAMAGED or EXPORT_NEWER.
            OSError: a file cannot be read.
        """
        manifest = self.find()
        if manifest is None:
            message = f"{self.path} has no export. Make one with 'pathbook export --to {self.path}'."
            raise ExportError("EXPORT_MISSING", message)
        position = 0
        for part in manifest.ranges:
            if part.first != position + 1 or part.files.keys() != FLAT_TABLES.keys():
                raise self.damaged("its manifest leaves out positions or tables")
            position = part.last
            for file in part.files.values():
                path = self.path / file.path
                if not path.is_file() or path.stat().st_size != file.bytes:
                    raise self.damaged(f"{file.path} is missing, or has another size")
        if position != manifest.through:
            raise self.damaged("its manifest leaves out positions")
        return manifest

    def files(self, manifest: Manifest, table: str) -> list[Path]:
        """Return the files of a table, in the order of their positions."""
        return [self.path / part.files[table].path for part in manifest.ranges]

    def require_hashes(self, manifest: Manifest) -> None:
        """Read all files, and require that each is the one that was written.

        Raises:
            ExportError: EXPORT_DAMAGED.
            OSError: a file cannot be read.
        """
        for part in manifest.ranges:
            for file in part.files.values():
                if hash_of(self.path / file.path) != file.sha256:
                    raise self.damaged(f"{file.path} is not the file that was written")

    def write(self, manifest: Manifest) -> None:
        """Replace the manifest, whose files are on disk."""
        partial = self.path / f"{MANIFEST}.new"
        with partial.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path / MANIFEST)
        flush_entry(self.path)

    def remove_unnamed(self, manifest: Manifest) -> None:
        """Remove the files of tables that an interrupted command left, and that the manifest does not name."""
        named = {file.path for part in manifest.ranges for file in part.files.values()}
        for table in FLAT_TABLES:
            directory = self.path / table
            directory.mkdir(exist_ok=True)
            for path in directory.iterdir():
                if f"{table}/{path.name}" not in named and path.name.endswith((".parquet", ".new")):
                    path.unlink()

    def damaged(self, what: str) -> ExportError:
        """Return the error for an export that cannot be used."""
        message = (
            f"{self.path} is not what was exported: {what}. Put it back, or export to another directory."
        )
        return ExportError("EXPORT_DAMAGED", message)


class _AnyManifest(msgspec.Struct):
    format: str


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            digest.update(data)
    return digest.hexdigest()


def finish_file(partial: Path, path: Path) -> None:
    """Give a file that is written its name, once it is on disk."""
    flush_entry(partial)
    partial.replace(path)
    flush_entry(path.parent)
