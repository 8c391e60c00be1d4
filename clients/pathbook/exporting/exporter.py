"""Brings an export up to the head of a book: it reads what is new, and writes its ranges one after the other."""

import contextlib
import importlib.metadata
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from pathbook.client import Client, RefusedError
from pathbook.exporting.manifest import (
    FORMAT,
    Export,
    ExportedFile,
    ExportedRange,
    ExportError,
    Manifest,
    finish_file,
    hash_of,
)
from pathbook.exporting.parquet_files import TableFile
from pathbook.ledger.codec import MalformedEventError, decode, leaf_hash
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tree import Frontier
from pathbook.ledger.reports.flat import (
    FLAT_TABLES,
    Row,
    rows_of,
)

EVENTS_PER_FILE: Final = 500_000
"""How many positions a file has at most: some 50 MB of events. A command that is killed loses the file it writes."""

PROGRESS_EVENTS: Final = 5_000
"""After how many events progress is told."""

_TABLES: Final[dict[type[Row], str]] = {row: table for table, row in FLAT_TABLES.items()}
_POSITION_DIGITS: Final = 12

Progress = Callable[[int, int | None], None]


class Exported(msgspec.Struct, frozen=True):
    """What an export has now.

    Attributes:
        origin: of the book.
        before: the last position that was exported before, 0 for none.
        through: the last position now.
        rows: of each table.
        checkpoint: the size of the newest checkpoint that was compared, 0 for none.
    """

    origin: str
    before: int
    through: int
    rows: dict[str, int]
    checkpoint: int


class _Signed(msgspec.Struct, frozen=True):
    """The newest checkpoint of a log, and its note."""

    checkpoint: Checkpoint
    note: str


def export(
    client: Client,
    path: Path,
    *,
    events_per_file: int = EVENTS_PER_FILE,
    progress: Progress = lambda _done, _total: None,
) -> Exported:
    """Export what is new in a client's book, up to the head that it has now.

    The tree over the events is compared with the newest checkpoint, unless it is of fewer events than were exported
    before. Its signature is not checked: that is the work of an audit.

    Args:
        client: of the book.
        path: the directory.
        events_per_file: how many positions a file has at most.
        progress: is called with the number of events done, and the total.

    Raises:
        ExportError: the directory is in use, damaged or of another history, or the server sent what is no event.
        pathbook.ledger.codec.NewerEventError: an event is newer than this program.
        pathbook.client.RefusedError: the server refuses.
        pathbook.client.UnreachableError: no server answers.
        OSError: a file cannot be read or written.
    """
    target = Export(path)
    with target.locked():
        signed = _newest(client)
        origin, head = client.get_book().origin, client.get_head().position
        manifest = target.find() or Manifest(FORMAT, _program(), client.book, origin)
        _require_history(client, path, manifest, origin, head)
        target.remove_unnamed(manifest)
        before = manifest.through
        if signed is not None and 0 < signed.checkpoint.size == before:
            manifest = _compared(path, manifest, signed, manifest.frontier)
            target.write(manifest)
        stream = _Stream(client, manifest, head)
        while manifest.through < head:
            last = min(manifest.through + events_per_file, head)
            manifest = _write_range(target, manifest, last, stream, signed, progress)
            target.write(manifest)
    rows = {table: manifest.rows(table) for table in FLAT_TABLES}
    compared = (
        Checkpoint.parse(parse_note(manifest.checkpoint.encode()).text).size if manifest.checkpoint else 0
    )
    return Exported(origin, before, manifest.through, rows, compared)


class _Stream:
    """The events of a book up to its head, and the incarnation that the last batch of them named."""

    def __init__(self, client: Client, manifest: Manifest, head: int) -> None:
        self.incarnation, self.head = manifest.incarnation, head
        self.events = self._read(client, manifest.through)

    def _read(self, client: Client, after: int) -> Iterator[bytes]:
        if after == self.head:
            return
        for batch in client.read(after, limit=self.head - after, incarnation=self.incarnation):
            self.incarnation = batch.incarnation or self.incarnation
            yield from batch.events


def _write_range(
    target: Export,
    manifest: Manifest,
    last: int,
    stream: _Stream,
    signed: _Signed | None,
    progress: Progress,
) -> Manifest:
    """Write the files of the range that ends at a position. Return the manifest that names them."""
    first, tree = manifest.through + 1, manifest.frontier
    leaf = b""
    with contextlib.ExitStack() as stack:
        files: dict[type[Row], TableFile] = {}
        for row, table in _TABLES.items():
            partial = target.path / table / f"{first:0{_POSITION_DIGITS}}.new"
            files[row] = stack.enter_context(contextlib.closing(TableFile(table, partial)))
        for data in islice(stream.events, last - manifest.through):
            position, leaf = tree.size + 1, leaf_hash(data)
            try:
                recorded = decode(position, data, leaf=leaf)
            except MalformedEventError as error:
                raise ExportError("EVENT_MALFORMED", f"{error}. Ask who runs the server.") from None
            for each in rows_of(manifest.book, recorded, data):
                files[type(each)].add(each)
            tree.append(leaf)
            if signed is not None and signed.checkpoint.size == position:
                manifest = _compared(target.path, manifest, signed, tree)
            if position % PROGRESS_EVENTS == 0:
                progress(position, stream.head)
    if tree.size < last:
        message = f"The server sent {tree.size} of {last} events, and then no more. Try again."
        raise ExportError("EVENTS_MISSING", message)
    name = f"{first:0{_POSITION_DIGITS}}-{last:0{_POSITION_DIGITS}}.parquet"
    written = {table: _finished(target.path, f"{table}/{name}", files[row]) for row, table in _TABLES.items()}
    return msgspec.structs.replace(
        manifest,
        program=_program(),
        incarnation=stream.incarnation,
        through=last,
        root=tree.root().hex(),
        nodes=[node.hex() for node in tree.nodes],
        last_leaf=leaf.hex(),
        ranges=[*manifest.ranges, ExportedRange(first, last, written)],
    )


def _finished(directory: Path, name: str, file: TableFile) -> ExportedFile:
    path = directory / name
    finish_file(file.path, path)
    return ExportedFile(name, file.rows, path.stat().st_size, hash_of(path))


def _newest(client: Client) -> _Signed | None:
    try:
        note = client.get_checkpoint().note
    except RefusedError as error:
        if error.reason == "CHECKPOINT_MISSING":
            return None
        raise
    try:
        return _Signed(Checkpoint.parse(parse_note(note.encode()).text), note)
    except MalformedTextError as error:
        raise ExportError("CHECKPOINT_UNVERIFIED", f"The newest checkpoint is malformed: {error}.") from None


def _require_history(client: Client, path: Path, manifest: Manifest, origin: str, head: int) -> None:
    """Require that the book is the one that was exported, and still has its last event."""
    through, name = manifest.through, client.book
    if (manifest.origin, manifest.book) != (origin, name):
        message = (
            f"{path} is an export of the book {manifest.origin} ('{manifest.book}'), and not of {origin} ('{name}')."
            " Name another directory."
        )
        raise ExportError("EXPORT_OF_OTHER_BOOK", message)
    if not through:
        return
    same = False
    if head >= through:
        for batch in client.read(through - 1, limit=1):
            same = [leaf_hash(data).hex() for data in batch.events] == [manifest.last_leaf]
    if not same:
        message = (
            f"The book has another event at position {through}, or none, than {path}. It was restored from a backup, or"
            " it is another book. Export to another directory."
        )
        raise ExportError("EXPORT_OF_OTHER_HISTORY", message)


def _compared(path: Path, manifest: Manifest, signed: _Signed, tree: Frontier) -> Manifest:
    """Return the manifest with a checkpoint that was compared with the tree of its size."""
    if tree.root() != signed.checkpoint.root:
        message = (
            f"The events are not those that the checkpoint of {signed.checkpoint.size} events was signed for. Nothing"
            f" of them was added to {path}. Ask who runs the server."
        )
        raise ExportError("ROOT_DIFFERS", message)
    return msgspec.structs.replace(manifest, checkpoint=signed.note)


def _program() -> str:
    return importlib.metadata.version("pathbook")
