"""Where the events of an audit come from: a server, or a directory that was published with its entries."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pathbook.audit.differences import DifferenceError, Rule, UncheckableError
from pathbook.client import Client, RefusedError
from pathbook.ledger.proofs.signed_note import VerifierKey
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tiles import WIDTH, Tile, bundle_path, node_of_tiles
from pathbook.ledger.proofs.tree import HASH_BYTES, consistency_proof, split_hashes
from pathbook.publishing.files import CHECKPOINT, Directory, PublishError

_LENGTH_BYTES: Final = 2
"""How many bytes before an entry say how long it is (c2sp.org/tlog-tiles)."""


class Stored(NamedTuple):
    """The bytes of an event, and the hash that was published of them, or b""."""

    data: bytes
    published: bytes = b""


class Source(NamedTuple):
    """A book to audit.

    Attributes:
        origin: of the book, as the source says.
        size: how many events there are, as far as that is known.
        note: the newest signed checkpoint, None if there is none.
        key: of the log, as the source itself names it. None if it names none.
        events: returns the events after a position, up to another one, in their order.
        proof: returns the proof that the tree of a size begins with that of an older one.
        client: of the server, whose views are compared. None for a directory.
    """

    origin: str
    size: int
    note: bytes | None
    key: VerifierKey | None
    events: Callable[[int, int], Iterator[Stored]]
    proof: Callable[[int, int], Sequence[bytes]]
    client: Client | None = None


def of_server(client: Client) -> Source:
    """Return a client's book, up to its head.

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
    origin = client.get_book().origin
    size = client.get_head().position  # asked last, so it has the events of the checkpoint

    def events(after: int, through: int) -> Iterator[Stored]:
        return _read(client, after, through)

    def proof(old: int, new: int) -> Sequence[bytes]:
        return client.get_consistency_proof(old, new).hashes

    return Source(origin, size, note, key, events, proof, client)


def _read(client: Client, after: int, through: int) -> Iterator[Stored]:
    position = after + 1
    for batch in client.read(after, limit=through - after) if through > after else ():
        if batch.events and batch.first_position != position:
            found = f"the server sent position {batch.first_position} in its place"
            raise DifferenceError(position, Rule.POSITION, found)
        for data in batch.events:
            yield Stored(data)
        position += len(batch.events)


def of_directory(path: Path) -> Source:
    """Return the book of a directory that has a published log with its entries.

    Raises:
        UncheckableError: it has no checkpoint, or no entries.
        OSError: a file cannot be read.
    """
    from pathbook.ledger.proofs.checkpoint import Checkpoint
    from pathbook.ledger.proofs.signed_note import parse_note

    try:
        note = (path / CHECKPOINT).read_bytes()
        found = Checkpoint.parse(parse_note(note).text)
    except FileNotFoundError:
        raise UncheckableError(f"{path} has no published log: there is no checkpoint in it.") from None
    except MalformedTextError as error:
        raise UncheckableError(f"The checkpoint in {path} is malformed: {error}") from None

    def events(after: int, through: int) -> Iterator[Stored]:
        return _entries(path, through, after)

    def proof(old: int, new: int) -> Sequence[bytes]:
        if new > found.size:
            raise UncheckableError(
                f"{path} is older than what was replayed before: it has {found.size} events."
            )
        try:
            return consistency_proof(old, new, node_of_tiles(found.size, Directory(path).hashes))
        except PublishError as error:
            raise UncheckableError(str(error)) from None

    return Source(found.origin, found.size, note, None, events, proof)


def _entries(path: Path, size: int, after: int) -> Iterator[Stored]:
    for number in range(after // WIDTH, (size + WIDTH - 1) // WIDTH):
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
            if position + place > after:
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
