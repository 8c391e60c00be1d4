"""The trees of a book as they are kept: what is asked of one is loaded once, and much of it beforehand."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, Protocol

from pathbook.ledger.proofs.custody import (
    TILE_LEVELS,
    TILE_WIDTH,
    HeadRun,
    TilePlace,
    batch_data,
    edge_tiles,
    top_tile,
)
from pathbook.ledger.proofs.heads import Heads
from pathbook.ledger.store.custody.lookups import (
    Span,
    TileRange,
    batches_of,
    blocks_of,
    parties_of,
    tiles_of,
)
from pathbook.ledger.store.custody.tables import BATCHES, unpacked_runs
from pathbook.ledger.store.database.fast_read import ReadSnapshot

TILES_NOTED_MAX: Final = 64
"""Of how many tiles of a range it is remembered that none is kept. Others are asked for again."""


class KeptTree(Protocol):
    """A tree with what is loaded of it: a CustodyStore."""

    heads: Heads
    tiles: dict[TilePlace, bytes | None]

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return the runs that have any of the units first .. last."""

    def tile(self, place: TilePlace) -> bytes | None:
        """Return a tile, or None if none is kept."""


class BatchTree:
    """The custody tree of a batch. Its size is fixed, so below a tile that is not kept none is kept."""

    def __init__(self, snapshot: ReadSnapshot, book: str, batch: int, size: int) -> None:
        """Begin with nothing loaded of a batch of so many units."""
        self._snapshot, self._book, self._batch = snapshot, book, batch
        self.heads = Heads(size)
        self.tiles: dict[TilePlace, bytes | None] = {}

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return the runs that have any of the units first .. last."""
        if not self.heads.has(first, last):
            load_runs(self._snapshot, self._book, {self._batch: self.heads}, [(self._batch, first, last)])
        return self.heads.runs(first, last)

    def tile(self, place: TilePlace) -> bytes | None:
        """Return a tile, or None if none is kept."""
        if place not in self.tiles:
            above = TilePlace(place.level + 1, place.number // TILE_WIDTH)
            if above in self.tiles and self.tiles[above] is None:
                self.tiles[place] = None
            else:
                load_tiles(self._snapshot, self._book, {self._batch: self}, [(self._batch, place, place)])
        return self.tiles[place]


class RegisterTree:
    """A register. It grows, so a tile may be kept below one that is not."""

    def __init__(self, snapshot: ReadSnapshot, book: str, register: int) -> None:
        """Begin with nothing loaded of the register of BATCHES or of that of PARTIES."""
        self._snapshot, self._book, self._register = snapshot, book, register
        self.heads = Heads()
        self.tiles: dict[TilePlace, bytes | None] = {}

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return the leaves first .. last, as far as the register has them."""
        if not self.heads.has(first, last):
            self.load([(first, last)])
        return self.heads.runs(first, last)

    def load(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Load leaves, with all of their blocks."""
        blocks = joined_ranges(ranges, TILE_LEVELS)
        ranges = [(first << TILE_LEVELS, (last + 1 << TILE_LEVELS) - 1) for first, last in blocks]
        if self._register == BATCHES:
            numbers = [(first + 1, last + 1) for first, last in ranges]
            rows = batches_of(self._snapshot, self._book, numbers)
            leaves = [(row.batch - 1, batch_data(row.root, row.size, row.head)) for row in rows]
        else:
            leaves = [(row.number, row.head) for row in parties_of(self._snapshot, self._book, ranges)]
        for _, block in groupby(sorted(leaves), lambda leaf: leaf[0] >> TILE_LEVELS):
            self.heads.add([HeadRun(index, index, data) for index, data in block])

    def tile(self, place: TilePlace) -> bytes | None:
        """Return a tile, or None if none is kept."""
        if place not in self.tiles:
            load_tiles(self._snapshot, self._book, {self._register: self}, [(self._register, place, place)])
        return self.tiles[place]


def load_runs(
    snapshot: ReadSnapshot, book: str, heads: dict[int, Heads], ranges: Iterable[tuple[int, int, int]]
) -> None:
    """Load the runs of ranges (batch, first, last), with all of their blocks."""
    wanted: dict[int, list[tuple[int, int]]] = {}
    for batch, first, last in ranges:
        wanted.setdefault(batch, []).append((first, last))
    spans = [
        Span(batch, first, last)
        for batch, parts in wanted.items()
        for first, last in joined_ranges(parts, TILE_LEVELS)
    ]
    for row in blocks_of(snapshot, book, spans):
        if not heads[row.batch].has_block(row.block):
            heads[row.batch].add(unpacked_runs(row.runs))


def load_tiles(
    snapshot: ReadSnapshot,
    book: str,
    trees: "dict[int, KeptTree]",
    places: Iterable[tuple[int, TilePlace, TilePlace]],
) -> None:
    """Load the tiles from one place to another of the same level, of several trees."""
    wanted = [TileRange(tree, first.level, first.number, last.number) for tree, first, last in places]
    for tree, level, first, last in wanted:
        for number in range(first, min(last, first + TILES_NOTED_MAX) + 1):
            trees[tree].tiles.setdefault(TilePlace(level, number), None)
    for row in tiles_of(snapshot, book, wanted):
        tiles, place = trees[row.tree].tiles, TilePlace(row.level, row.number)
        if tiles.get(place) is None:
            tiles[place] = row.hashes


def tiles_over(
    tree: int, size: int, changed: Iterable[tuple[int, int]]
) -> set[tuple[int, TilePlace, TilePlace]]:
    """Return the places of the tiles that have any of the changed units, and of those that have the last unit."""
    wanted = {(tree, place, place) for place in edge_tiles(size)}
    ranges = joined_ranges(changed, TILE_LEVELS)
    for level in range(1, top_tile(size).level + 1):
        ranges = joined_ranges(ranges, TILE_LEVELS)
        wanted.update((tree, TilePlace(level, first), TilePlace(level, last)) for first, last in ranges)
    return wanted


def joined_ranges(ranges: Iterable[tuple[int, int]], levels: int) -> list[tuple[int, int]]:
    """Return the subtrees that have any leaf of some ranges, so many levels above them, as ranges in order.

    Neighbors become one range: what is sold in order is one range soon.
    """
    found: list[tuple[int, int]] = []
    begin, end = 0, -2
    for first, last in sorted((first >> levels, last >> levels) for first, last in ranges):
        if first > end + 1:
            if end >= 0:
                found.append((begin, end))
            begin, end = first, last
        elif last > end:
            end = last
    return [*found, (begin, end)] if end >= 0 else found
