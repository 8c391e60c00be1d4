"""Where the events of an audit come from: a server, or a directory that was published with its entries."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pathbook.audit.differences import DifferenceError, Rule, UncheckableError
from pathbook.client import Client, RefusedError
from pathbook.ledger.proofs.signed_note import VerifierKey
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tiles import WIDTH, Tile, bundle_path
from pathbook.ledger.proofs.tree import HASH_BYTES, split_hashes

_LENGTH_BYTES: Final = 2
"""How many bytes before an entry say how long it is (c2sp.org/tlog-tiles)."""

_CHECKPOINT: Final = "checkpoint"


class Stored(NamedTuple):
    """The bytes of an event, and the hash that was published of them, or b""."""

    data: bytes
    published: bytes = b""


class Source(NamedTuple):
    """The events of a book, from position 1 on.

    Attributes:
        size: how many there are, as far as that is known.
        note: the newest signed checkpoint, None if there is none.
        key: of the log, as the source itself names it. None if it names none.
        events: the events in their order.
    """

    size: int
    note: bytes | None
    key: VerifierKey | None
    events: Iterator[Stored]


def of_server(client: Client) -> Source:
    """Return the events of a client's book, up to its head.

    Raises:
        pathbook.client.RefusedError: the server refuses, such as BOOK_UNKNOWN.
        pathbook.client.UnreachableError: no server answers.
    """
    note, key = None, None
    try:
        note = client.get_checkpoint().note.encode()
        key = VerifierKey.parse(client.get_log_key())
    except RefusedError as error:
        if error.reason != "CHECKPOINT_MISSING":
            raise
    except MalformedTextError as error:
        raise UncheckableError(f"The server names no key of its log: {error}") from None
    size = client.get_head().position  # asked last, so it has the events of the checkpoint
    return Source(size, note, key, _read(client, size))


def _read(client: Client, size: int) -> Iterator[Stored]:
    position = 1
    for batch in client.read(0, limit=size) if size else ():
        if batch.events and batch.first_position != position:
            found = f"the server sent position {batch.first_position} in its place"
            raise DifferenceError(position, Rule.POSITION, found)
        for data in batch.events:
            yield Stored(data)
        position += len(batch.events)


def of_directory(path: Path) -> Source:
    """Return the events of a directory that has a published log with its entries.

    Raises:
        UncheckableError: it has no checkpoint, or no entries.
        OSError: a file cannot be read.
    """
    from pathbook.ledger.proofs.checkpoint import Checkpoint
    from pathbook.ledger.proofs.signed_note import parse_note

    try:
        note = (path / _CHECKPOINT).read_bytes()
        size = Checkpoint.parse(parse_note(note).text).size
    except FileNotFoundError:
        raise UncheckableError(f"{path} has no published log: there is no checkpoint in it.") from None
    except MalformedTextError as error:
        raise UncheckableError(f"The checkpoint in {path} is malformed: {error}") from None
    return Source(size, note, None, _entries(path, size))


def _entries(path: Path, size: int) -> Iterator[Stored]:
    for number in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - number * WIDTH)
        bundle = _part(path, bundle_path(number, width), bundle_path(number, WIDTH))
        tile = _part(path, Tile(0, number, width).path, Tile(0, number, WIDTH).path)
        hashes, position, start = split_hashes(tile), number * WIDTH + 1, 0
        if len(tile) < width * HASH_BYTES:
            raise DifferenceError(position, Rule.LEAF, "the tile with its hash ends early")
        for place in range(width):
            begin = start + _LENGTH_BYTES
            end = begin + int.from_bytes(bundle[start:begin])
            if begin > len(bundle) or end > len(bundle):
                raise DifferenceError(position + place, Rule.LEAF, "the bundle with its entry ends early")
            yield Stored(bundle[begin:end], hashes[place])
            start = end


def _part(path: Path, partial: str, full: str) -> bytes:
    """Return a file of a log, which may have grown since its checkpoint was read."""
    for name in (full, partial):
        if (path / name).is_file():
            return (path / name).read_bytes()
    raise UncheckableError(
        f"{path / partial} is missing. Publish the log with its events: 'pathbook publish --entries'."
    )
