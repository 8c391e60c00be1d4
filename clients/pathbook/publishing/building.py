"""Makes tiles of a growing tree: full ones as they become complete, and the partial ones of a size at the end."""

from collections.abc import Iterator

from pathbook.ledger.proofs.tiles import HEIGHT, WIDTH, ReadTile, Tile, node_of_tiles
from pathbook.ledger.proofs.tree import HASH_BYTES, Frontier


class TileBuilder:
    """A tree that grows leaf by leaf, and the unfinished tile of each of its levels."""

    def __init__(self, size: int, tree: int, read: ReadTile) -> None:
        """Begin with ``size`` leaves, from the tiles of a tree that has ``tree`` leaves or more.

        Args:
            size: how many leaves to begin with, a multiple of 256.
            tree: the size of the tree that ``read`` returns tiles of.
            read: returns tiles.
        """
        assert size <= tree, (size, tree)
        node = node_of_tiles(tree, read)
        self._edge = Frontier.of_tree(size, node)
        self._unfinished: list[bytearray] = []
        level = 0
        while count := size >> HEIGHT * level:
            begin = count // WIDTH * WIDTH
            hashes = [node(HEIGHT * level, index) for index in range(begin, count)]
            self._unfinished.append(bytearray(b"".join(hashes)))
            level += 1

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._edge.size

    def root(self) -> bytes:
        """Return the root of the tree."""
        return self._edge.root()

    def append(self, leaf: bytes) -> Iterator[tuple[Tile, bytes]]:
        """Append a leaf. Yield the tiles that are full now, the lowest first."""
        for level, index, node in self._edge.append(leaf)[::HEIGHT]:
            height = level // HEIGHT
            if height == len(self._unfinished):
                self._unfinished.append(bytearray())
            tile = self._unfinished[height]
            tile += node
            if len(tile) == WIDTH * HASH_BYTES:
                yield Tile(height, index // WIDTH, WIDTH), bytes(tile)
                tile.clear()

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """Yield the partial tiles of the tree as it is."""
        for level, tile in enumerate(self._unfinished):
            if tile:
                number = (self.size >> HEIGHT * level) // WIDTH
                yield Tile(level, number, len(tile) // HASH_BYTES), bytes(tile)
