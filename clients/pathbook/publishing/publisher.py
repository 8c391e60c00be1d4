"""Brings a directory up to the newest checkpoint (c2sp.org/tlog-tiles): new tiles first, the checkpoint last."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from pathbook.client import Client
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.signed_note import VerifierKey, parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tiles import (
    HEIGHT,
    WIDTH,
    Tile,
    bundle_path,
    node_of_tiles,
    tiles_of,
)
from pathbook.ledger.proofs.tree import EMPTY_ROOT, split_hashes, tree_root
from pathbook.publishing.building import TileBuilder
from pathbook.publishing.files import CHECKPOINT, Directory, PublishError, bundle_of, damaged


class Published(msgspec.Struct, frozen=True):
    """What is published now.

    Attributes:
        origin: of the book.
        size: how many events the checkpoint is of.
        before: how many the one before was of, 0 if there was none.
        events_read: how many events were read for it.
    """

    origin: str
    size: int
    before: int
    events_read: int


def publish(
    client: Client, path: Path, *, entries: bool, progress: Callable[[int, int | None], None]
) -> Published:
    """Publish the newest checkpoint of a client's book in a directory, with all tiles that its tree needs.

    The tiles are made from the events, and their root must be that of the checkpoint. A directory that is complete up
    to an older checkpoint is continued from there, and full tiles that a killed command left are used.

    Args:
        client: of the book.
        path: the directory.
        entries: whether to publish the bytes of the events, too.
        progress: is called with the number of events done, and the total.

    Raises:
        PublishError: the checkpoint cannot be verified, contradicts the published one, or the directory is damaged.
        pathbook.client.RefusedError: the server refuses, such as CHECKPOINT_MISSING.
        pathbook.client.UnreachableError: no server answers.
        OSError: a file cannot be read or written.
    """
    directory = Directory(path)
    with directory.locked():
        key, note, new = _newest(client)
        old = _published(directory, key)
        if old.size > new.size:
            message = (
                f"{path} has a checkpoint of {old.size} events, and the newest of the server is of {new.size}."
                " Nothing was published. The server may be an older copy: ask who runs it."
            )
            raise PublishError("SERVER_OLDER", message)
        begin = _first_tile_to_make(directory, old.size, new.size, entries=entries) * WIDTH
        builder = TileBuilder(min(begin, old.size >> HEIGHT << HEIGHT), old.size, directory.hashes)
        for number in range(builder.size // WIDTH, begin // WIDTH):
            _add(directory, builder, split_hashes(directory.hashes(0, number, WIDTH)))
        _add_events(client, directory, builder, new.size, entries=entries, progress=progress)
        if builder.root() != new.root:
            message = (
                f"The events of the server are not those that its checkpoint of {new.size} events was signed for, or"
                f" tiles in {path} are damaged. The checkpoint was not published. Publish to a new directory; if that"
                " fails, too, ask who runs the server."
            )
            raise PublishError("ROOT_DIFFERS", message)
        for tile, data in builder.partial():
            directory.write(tile.path, data)
        directory.write(CHECKPOINT, note.encode())
        for tile in tiles_of(new.size, old.size):
            if tile.width == WIDTH:
                directory.remove_partial(tile.level, tile.number)
    return Published(new.origin, new.size, old.size, new.size - begin)


def _newest(client: Client) -> tuple[VerifierKey, str, Checkpoint]:
    """Return the key of the log, the note of its newest checkpoint, and what it says."""
    message = "The newest checkpoint is not signed with the key of the log. Ask who runs the server."
    note = client.get_checkpoint().note
    try:
        key = VerifierKey.parse(client.get_log_key())
    except MalformedTextError:
        raise PublishError("CHECKPOINT_UNVERIFIED", message) from None
    new = _verified(note.encode(), key)
    if new is None:
        raise PublishError("CHECKPOINT_UNVERIFIED", message)
    return key, note, new


def _verified(note: bytes, key: VerifierKey) -> Checkpoint | None:
    """Return the checkpoint of a note that a key signed, or None."""
    try:
        return open_checkpoint(parse_note(note), key)
    except MalformedTextError:
        return None


def _published(directory: Directory, key: VerifierKey) -> Checkpoint:
    """Return what is published: a checkpoint whose tiles have its root, or that of an empty log."""
    note = directory.checkpoint()
    if note is None:
        return Checkpoint(key.name, 0, EMPTY_ROOT)
    found = _verified(note, key)
    if found is None:
        raise damaged(directory.path, "its checkpoint is of another log, or was signed with another key")
    if tree_root(found.size, node_of_tiles(found.size, directory.hashes)) != found.root:
        raise damaged(directory.path, "its tiles do not have the root of its checkpoint")
    return found


def _first_tile_to_make(directory: Directory, old: int, size: int, *, entries: bool) -> int:
    """Return the number of the first lowest tile that is not there in full, or whose bundle of entries is not."""
    for number in range(0 if entries else old >> HEIGHT, size >> HEIGHT):
        has_tile = number < old >> HEIGHT or directory.has(Tile(0, number, WIDTH).path)
        if not has_tile or (entries and not directory.has(bundle_path(number, WIDTH))):
            return number
    return size >> HEIGHT


def _add(directory: Directory, builder: TileBuilder, leaves: list[bytes]) -> None:
    for leaf in leaves:
        for tile, data in builder.append(leaf):
            directory.write(tile.path, data)


def _add_events(
    client: Client,
    directory: Directory,
    builder: TileBuilder,
    size: int,
    *,
    entries: bool,
    progress: Callable[[int, int | None], None],
) -> None:
    """Read the events up to a size, a tile at a time, and write what they complete."""
    begin = builder.size
    if begin == size:
        return
    events = islice(_events(client, begin, size), size - begin)  # whatever a server sends
    while bundle := list(islice(events, WIDTH)):
        number = builder.size // WIDTH
        if entries:
            directory.write(bundle_path(number, len(bundle)), bundle_of(bundle))
        _add(directory, builder, [leaf_hash(event) for event in bundle])
        progress(builder.size - begin, size - begin)


def _events(client: Client, after: int, through: int) -> Iterator[bytes]:
    for batch in client.read(after, limit=through - after):
        yield from batch.events
