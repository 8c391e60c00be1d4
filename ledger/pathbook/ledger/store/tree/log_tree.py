"""The tree of a book: leaf number position - 1 is the leaf hash of the stored bytes of the event at a position."""

import threading
from collections import OrderedDict, defaultdict
from functools import partial
from typing import Final

import structlog

from pathbook.ledger.proofs.tiles import HEIGHT, WIDTH, node_of_tiles
from pathbook.ledger.proofs.tree import (
    HASH_BYTES,
    Frontier,
    Node,
    consistency_proof,
    inclusion_proof,
    split_hashes,
    tree_root,
)
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.tree.nodes import TreeNodes

CACHED_TILES_MAX: Final = 128
"""How many tiles are cached: a megabyte. They are the edges of some books, and what was read last."""

NODES_AT_ONCE: Final = 64
"""After how many nodes, of 256 events each, a transaction keeps them. So a rebuild that is killed loses little."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class LogTree:
    """The trees of the books of a log. Threads may share it, and any number of processes may have one at once.

    The tree of a size is over the events at positions 1 .. size, none of which may be beyond the head. It is brought
    up from the log when it is asked for, by at most 255 events and those whose nodes are not kept yet. Events are read
    256 at a time, so a tree of any size takes little memory.

    Each method raises pathbook.ledger.store.log.damage.EventDamagedError if an event is damaged, and PersistenceError
    of eventsourcing if the database fails.
    """

    def __init__(self, stream: Stream) -> None:
        """Use a log. Nothing is read or written yet."""
        self._stream, self._nodes = stream, TreeNodes(stream.engine)
        self._tiles: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._paths: dict[str, tuple[int, int, tuple[bytes, ...]]] = {}
        self._kept: dict[str, int] = {}
        self._lock = threading.Lock()
        self._growing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def root(self, book: str, size: int) -> bytes:
        """Return the root of the tree of a size."""
        return tree_root(size, self.node(book, size))

    def inclusion_proof(self, book: str, position: int, size: int) -> tuple[bytes, ...]:
        """Return the audit path of the event at a position in the tree of a size, which is that position or more.

        The last path of each book is kept, because all proofs of units as of one seal have the same.
        """
        kept = self._paths.get(book)
        if kept is not None and kept[:2] == (position, size):
            return kept[2]
        path = tuple(inclusion_proof(position - 1, size, self.node(book, size)))
        self._paths[book] = (position, size, path)
        return path

    def consistency_proof(self, book: str, old: int, size: int) -> list[bytes]:
        """Return the proof that the tree of a size begins with that of another, which is not larger."""
        return consistency_proof(old, size, self.node(book, size))

    def node(self, book: str, size: int) -> Node:
        """Return the nodes of the tree of a size. Each tile of it is read once."""
        self.catch_up(book, size)
        return node_of_tiles(size, partial(self._tile, book))

    def frontier(self, book: str, size: int) -> Frontier:
        """Return the right edge of the tree of a size, to which events can be added."""
        return Frontier.of_tree(size, self.node(book, size))

    def catch_up(self, book: str, size: int) -> None:
        """Keep the nodes that a tree of a size has, as far as they are not kept yet."""
        wanted = size >> HEIGHT
        if wanted <= self._kept.get(book, 0):
            return
        with self._growing[book], persistence_errors():
            kept = self._nodes.count(book)
            if kept < wanted:
                begin = kept << HEIGHT
                frontier = Frontier.of_tree(begin, node_of_tiles(begin, partial(self._tile, book)))
                self.grow(book, frontier, wanted << HEIGHT)
            self._kept[book] = max(kept, wanted)

    def grow(self, book: str, frontier: Frontier, size: int) -> None:
        """Add the events up to a size to the right edge of a smaller tree, and keep the nodes that become complete."""
        completed: list[tuple[int, int, bytes]] = []
        while frontier.size < size:
            number, first = divmod(frontier.size, WIDTH)
            width = min(WIDTH, size - number * WIDTH)
            for leaf in split_hashes(self._tile(book, 0, number, width)[first * HASH_BYTES :]):
                nodes = frontier.append(leaf)
                if len(nodes) > HEIGHT:
                    completed += [(above // HEIGHT, at, node) for above, at, node in nodes[HEIGHT::HEIGHT]]
            if len(completed) >= NODES_AT_ONCE or frontier.size == size:
                with persistence_errors():
                    self._nodes.insert(book, completed)
                completed.clear()

    def drop(self, book: str | None = None) -> None:
        """Drop the nodes of a book, or of all books. They are made again from the events when they are needed."""
        with persistence_errors():
            self._nodes.drop(book)
        with self._lock:
            self._tiles.clear()
            self._paths.clear()
            self._kept.clear()

    def _tile(self, book: str, level: int, number: int, width: int) -> bytes:
        """Return the first hashes of a tile. Those that were read before are not read again."""
        key = book, level, number
        with self._lock:
            found = self._tiles.get(key, b"")
        have = len(found) // HASH_BYTES
        if have < width:
            begin = number * WIDTH
            read = self._leaves if level == 0 else partial(self._nodes_of, level)
            found += read(book, begin + have, begin + width)
            with self._lock:
                if len(found) >= len(self._tiles.get(key, b"")):
                    self._tiles[key] = found
                self._tiles.move_to_end(key)
                if len(self._tiles) > CACHED_TILES_MAX:
                    self._tiles.popitem(last=False)
        return found[: width * HASH_BYTES]

    def _leaves(self, book: str, begin: int, end: int) -> bytes:
        """Return the leaves begin .. end - 1, from events that are each compared with their kept hashes."""
        entries = self._stream.read(book, begin, end - begin, end)
        assert len(entries) == end - begin, f"book '{book}' has no event at position {end}"
        return b"".join([entry.leaf for entry in entries])

    def _nodes_of(self, level: int, book: str, begin: int, end: int) -> bytes:
        """Return the nodes begin .. end - 1 of a level. If one is gone, all of the book are made again."""
        with persistence_errors():
            found = self._nodes.hashes(book, level, begin, end)
        if found is None:
            _LOG.warning("the tree of a book lacks nodes, and is made again from the events", book=book)
            self.drop(book)
            self.grow(book, Frontier(), end << HEIGHT * level)
            with persistence_errors():
                found = self._nodes.hashes(book, level, begin, end)
        assert found is not None, (book, level, begin, end)
        return found
