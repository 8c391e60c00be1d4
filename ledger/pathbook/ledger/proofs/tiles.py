"""Tiles (c2sp.org/tlog-tiles): a tree in parts of 256 hashes, from which each node is made with few reads.

The tile (level, number) has the nodes (8 * level, 256 * number ..) of the tree, from the left. It is full with 256 of
them, and never changes after that. Only the last tile of a level is partial.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from pathbook.ledger.proofs.tree import HASH_BYTES, Node, root_of_hashes

HEIGHT: Final = 8
"""How many levels of a tree lie in a tile."""

WIDTH: Final = 1 << HEIGHT
"""How many hashes a full tile has."""

_PART: Final = 1_000
"""A number of a tile is written in parts of three digits."""

ReadTile: TypeAlias = Callable[[int, int, int], bytes]
"""Returns the first hashes of the tile (level, number), as many as asked for, one after the other."""


class Tile(NamedTuple):
    """A tile of a tree of some size. Its width is how many hashes it has there, 1 to WIDTH."""

    level: int
    number: int
    width: int

    @property
    def path(self) -> str:
        """The path of the tile below the prefix of its log, such as ``tile/0/x001/067.p/5``."""
        return f"tile/{self.level}/{tile_number(self.number)}{_suffix(self.width)}"


def tile_number(number: int) -> str:
    """Return the number of a tile in a path: parts of three digits, all but the last with an ``x`` before them."""
    parts = [f"{number % _PART:03}"]
    while number := number // _PART:
        parts.append(f"x{number % _PART:03}")
    return "/".join(reversed(parts))


def bundle_path(number: int, width: int) -> str:
    """Return the path of the bundle of entries whose hashes are in the tile (0, number)."""
    return f"tile/entries/{tile_number(number)}{_suffix(width)}"


def tiles_of(size: int, old: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a tree of ``size`` leaves, but not those that a tree of ``old`` leaves has as well."""
    level = 0
    while count := size >> HEIGHT * level:
        before = old >> HEIGHT * level
        for number in range(before // WIDTH, (count + WIDTH - 1) // WIDTH):
            width = min(WIDTH, count - number * WIDTH)
            if number * WIDTH + width > before:
                yield Tile(level, number, width)
        level += 1


def node_of_tiles(size: int, read: ReadTile) -> Node:
    """Return the nodes of a tree of ``size`` leaves from its tiles. Each tile is read once."""
    read_once = cache(read)

    def node(level: int, index: int) -> bytes:
        height, rest = divmod(level, HEIGHT)
        number, first = divmod(index << rest, WIDTH)
        width = min(WIDTH, (size >> HEIGHT * height) - number * WIDTH)
        assert first + (1 << rest) <= width, (level, index, size)
        hashes = read_once(height, number, width)
        return root_of_hashes(hashes[first * HASH_BYTES : (first + (1 << rest)) * HASH_BYTES])

    return node


def _suffix(width: int) -> str:
    assert 1 <= width <= WIDTH, width
    return "" if width == WIDTH else f".p/{width}"
