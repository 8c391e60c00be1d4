"""Custody: one head for each unit of a batch under one root, and all batches and parties under one custody root.

The custody tree of a batch is the RFC 6962 tree over the heads of its units. The index of a leaf is the number of its
unit. Over it are two registers, which are RFC 6962 trees too. The register of batches has a leaf for each batch, in the
order of their numbers, from 1 on. That of parties has a leaf for the operator, with number 0, and then one for each
party, in the order of registration. The custody root is the node over the two roots.

A run has one head for all of its units. So a subtree within a run is the head, doubled, and takes no memory. What is
kept are tiles: a tile holds the hashes of the sixteen subtrees four levels below its node, where these have more than
one run. Runs are cut and never join, so a tile that is kept stays kept.

A register is kept in the same way. Each leaf is a run of one, and the head of this run is the data of the leaf. A
register grows: a new tile may then lie above tiles that are kept.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    inclusion_proof,
    multiproof,
    node_hash,
    root_of,
    root_of_hashes,
    root_of_row,
    split_hashes,
    tree_root,
)

TILE_LEVELS: Final = 4
"""How many levels a tile spans."""

TILE_WIDTH: Final = 1 << TILE_LEVELS
"""How many children a tile holds. The units within a child of the lowest tiles are hashed when they are asked for."""

DOUBLED_HEADS: Final = 4_096
"""How many heads are remembered with their doubled hashes. A head takes up to 2 KB."""


class HeadRun(NamedTuple):
    """Units first .. last of a batch that have one head.

    ``position`` is that of the event that made the head, and ``origin`` the first unit of the run that it then made.
    The path of a unit is a walk from there, as in `pathbook.ledger.run.Run`.
    """

    first: int
    last: int
    head: bytes
    position: int = 0
    origin: int = 0


class TilePlace(NamedTuple):
    """Where a tile is: its level, from 1 on, and its number there. It has TILE_WIDTH ** (level + 1) units."""

    level: int
    number: int


class CustodyStore(Protocol):
    """Keeps the heads and the tiles of one batch or register, as of a sealed position."""

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return the runs that have any of the units first .. last, in order."""

    def tile(self, place: TilePlace) -> bytes | None:
        """Return the hashes of a tile, or None if none is kept: its units are in one run, or it has one leaf."""


def unit_leaf(head: bytes) -> bytes:
    """Return the leaf of a unit with a head: the leaf hash of the head."""
    return leaf_hash(head)


def batch_data(root: bytes, size: int, chain: bytes) -> bytes:
    """Return the data of a batch's leaf in its register: its root, its size (8 bytes), and the head of its chain."""
    return root + size.to_bytes(8, "big") + chain


def batch_leaf(root: bytes, size: int, chain: bytes) -> bytes:
    """Return the leaf of a batch in its register."""
    return leaf_hash(batch_data(root, size, chain))


def party_leaf(chain: bytes) -> bytes:
    """Return the leaf of a party in its register: of the head of its own chain, whose first event names it."""
    return leaf_hash(chain)


def custody_root(batches: bytes, parties: bytes) -> bytes:
    """Return the node over the roots of both registers."""
    return node_hash(batches, parties)


@lru_cache(DOUBLED_HEADS)
def _doublings(head: bytes) -> list[bytes]:
    return [unit_leaf(head)]


def top_tile(size: int) -> TilePlace:
    """Return the place of the one tile that has all units of a tree."""
    level = 1
    while TILE_WIDTH ** (level + 1) < size:
        level += 1
    return TilePlace(level, 0)


def edge_tiles(size: int) -> list[TilePlace]:
    """Return the places of the tiles that have the last unit of a tree: one a level."""
    return [
        TilePlace(level, (size - 1) >> TILE_LEVELS * (level + 1))
        for level in range(1, top_tile(size).level + 1)
    ]


def doubled(head: bytes, level: int) -> bytes:
    """Return the root over 2 ** level units with one head."""
    hashes = _doublings(head)
    while len(hashes) <= level:
        hashes.append(node_hash(hashes[-1], hashes[-1]))
    return hashes[level]


class CustodyTree:
    """The custody tree of a batch, over what a store keeps of it."""

    def __init__(self, size: int, store: CustodyStore) -> None:
        """Read the tree of a batch of so many units."""
        self._size, self._store = size, store

    def root(self) -> bytes:
        """Return the root over all units."""
        return self._edge_root(top_tile(self._size)) if self._size else EMPTY_ROOT

    def _edge_root(self, place: TilePlace) -> bytes:
        """Return the root over the units of a tile that has the last unit. It takes a tile a level, and sixteen units.

        A tree over whole subtrees and one that is not whole has the shape of a tree over as many leaves.
        """
        level, index = place
        height = TILE_LEVELS * level  # of a child
        first = index << height + TILE_LEVELS
        whole, rest = divmod(self._size - first, 1 << height)
        tile = self._store.tile(place) if level else None
        if tile is not None:
            hashes = split_hashes(tile[: whole * HASH_BYTES])
            if rest:
                hashes.append(self._edge_root(TilePlace(level - 1, index * TILE_WIDTH + whole)))
            return root_of(hashes)
        runs = self._store.runs(first, self._size - 1) if level == 0 else self._store.runs(first, first)
        if runs[0].last >= self._size - 1:
            return tree_root(self._size - first, lambda level, _: doubled(runs[0].head, level))
        assert level == 0, place
        return root_of(_leaves(runs, first, self._size - 1))

    def proof(self, unit: int) -> list[bytes]:
        """Return the audit path of a unit. It takes a tile for each four levels, and the runs of sixteen units."""
        return inclusion_proof(unit, self._size, self.node)

    def multiproof(self, units: Sequence[int]) -> list[bytes]:
        """Return the hashes that lead to the root together with some units, whose numbers increase."""
        return multiproof(units, self._size, self.node)

    def node(self, level: int, index: int) -> bytes:
        """Return the root of the complete subtree at (level, index)."""
        if level <= TILE_LEVELS:
            first = index << level
            return _root_of_runs(self._store.runs(first, first + (1 << level) - 1), first, level)
        tiles = (level - 1) // TILE_LEVELS
        height = (
            level - tiles * TILE_LEVELS
        )  # of the subtree above the children of its tile, 1 to TILE_LEVELS
        tile = self._store.tile(TilePlace(tiles, index >> (TILE_LEVELS - height)))
        if tile is None:
            first = index << level
            return doubled(self._store.runs(first, first)[0].head, level)
        begin = (index << height) % TILE_WIDTH
        return _root_of_tile(tile, begin, 1 << height)


class CustodyChange:
    """Brings the tiles of a batch or register from one sealed position to another, after its runs were changed.

    ``tiles`` are the new hashes of the tiles that changed.
    """

    def __init__(self, size: int, store: CustodyStore, changed: Iterable[tuple[int, int]]) -> None:
        """Take the ranges (first, last) of units whose heads changed, with all that were added.

        The store has the new runs and the old tiles. It is asked for the tiles that have changed units, and for runs in
        their sixteens. In a tree that has grown it is also asked for others.
        """
        self._size, self._store = size, store
        self._tree = CustodyTree(size, store)
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(changed):
            if self._lasts and first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)
        self.tiles: dict[TilePlace, bytes] = {}
        if self._firsts:
            self._update(top_tile(size))

    def _update(self, place: TilePlace) -> bytes:
        """Update a tile and those below it. Return the root over its units, or zeros if the batch ends before it."""
        level, index = place
        height = TILE_LEVELS * level  # of a child
        width, first = 1 << height, index << height + TILE_LEVELS
        end = min(first + width * TILE_WIDTH, self._size)
        is_complete = end == first + width * TILE_WIDTH
        old = self._store.tile(place)
        if old is None:
            run = self._store.runs(first, first)[0]
            if run.last >= end - 1:
                return doubled(run.head, height + TILE_LEVELS) if is_complete else bytes(HASH_BYTES)
        children: list[bytes] = []
        for child in range(TILE_WIDTH):
            begin = first + child * width
            if begin >= self._size:
                children.append(bytes(HASH_BYTES))
            elif self._has_changed(begin, begin + width - 1):
                children.append(
                    self._update(TilePlace(level - 1, index * TILE_WIDTH + child))
                    if level > 1
                    else self._root_of_units(begin)
                )
            elif old is not None:
                children.append(old[child * HASH_BYTES : (child + 1) * HASH_BYTES])
            elif begin + width > self._size:
                children.append(bytes(HASH_BYTES))
            else:
                children.append(self._tree.node(height, begin >> height))
        self.tiles[place] = tile = b"".join(children)
        return _root_of_tile(tile, 0, TILE_WIDTH) if is_complete else bytes(HASH_BYTES)

    def _root_of_units(self, first: int) -> bytes:
        """Return the root over the units of a child of the lowest tiles, or zeros if the batch ends before it."""
        if first + TILE_WIDTH > self._size:
            return bytes(HASH_BYTES)
        return _root_of_runs(self._store.runs(first, first + TILE_WIDTH - 1), first, TILE_LEVELS)

    def _has_changed(self, first: int, last: int) -> bool:
        place = bisect_right(self._firsts, last) - 1
        return place >= 0 and self._lasts[place] >= first


def _root_of_tile(tile: bytes, begin: int, count: int) -> bytes:
    """Return the root over ``count`` children of a tile, a power of two, from one of them on."""
    return root_of_hashes(tile[begin * HASH_BYTES : (begin + count) * HASH_BYTES])


def _root_of_runs(runs: Sequence[HeadRun], first: int, level: int) -> bytes:
    """Return the root over 2 ** level units from one on, whose runs are given, and no others."""
    if runs[0].last >= first + (1 << level) - 1:
        return doubled(runs[0].head, level)
    if len(runs) == 1 << level:  # each unit has a head of its own, which is not asked for again
        return root_of_row([unit_leaf(run.head) for run in runs])
    middle = first + (1 << level - 1)
    place = 0
    while runs[place].last < middle - 1:
        place += 1
    right = place + (runs[place].last < middle)
    left = _root_of_runs(runs[: place + 1], first, level - 1)
    return node_hash(left, _root_of_runs(runs[right:], middle, level - 1))


def _leaves(runs: Iterable[HeadRun], first: int, last: int) -> Iterator[bytes]:
    for run in runs:
        leaf = doubled(run.head, 0)
        for _ in range(max(run.first, first), min(run.last, last) + 1):
            yield leaf
