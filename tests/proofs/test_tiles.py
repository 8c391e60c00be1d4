"""Tiles hold a tree as c2sp.org/tlog-tiles says, and give every node of it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.proofs.tiles import (
    WIDTH,
    Tile,
    bundle_path,
    node_of_tiles,
    tile_number,
    tiles_of,
)
from pathbook.ledger.proofs.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    root_of,
    root_of_inclusion,
    split_hashes,
    tree_root,
)

LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(66_500)]
"""Enough leaves for three levels of tiles."""

SIZES = st.integers(0, 1_000) | st.integers(65_500, 66_500)


@pytest.fixture(scope="module")
def levels() -> list[list[bytes]]:
    """The nodes of the levels that tiles have, by definition: roots over 256, 65,536 ... leaves."""
    rows = [LEAVES]
    while len(rows[-1]) >= WIDTH:
        row = rows[-1]
        rows.append([root_of(row[at : at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)])
    return rows


@pytest.fixture(scope="module")
def roots() -> dict[int, bytes]:
    """The roots of the trees of all sizes, made leaf by leaf."""
    frontier, found = Frontier(), {0: EMPTY_ROOT}
    for size, leaf in enumerate(LEAVES, 1):
        frontier.append(leaf)
        found[size] = frontier.root()
    return found


@pytest.mark.parametrize(
    ("number", "path"),
    [
        (0, "000"),
        (999, "999"),
        (1_000, "x001/000"),
        (1_234_067, "x001/x234/067"),
        (10**9, "x001/x000/x000/000"),
    ],
)
def test_a_number_is_written_in_parts(number: int, path: str) -> None:
    """Parts have three digits, and all but the last begin with an x, as in the example of the specification."""
    assert tile_number(number) == path
    assert Tile(3, number, 256).path == f"tile/3/{path}"
    assert Tile(0, number, 17).path == f"tile/0/{path}.p/17"
    assert bundle_path(number, 256) == f"tile/entries/{path}"
    assert bundle_path(number, 1) == f"tile/entries/{path}.p/1"


def test_a_tree_has_the_tiles_of_the_examples() -> None:
    """70,000 leaves make the tiles that the specification counts, and 256 leaves make a level above."""
    tiles = list(tiles_of(70_000))
    assert sum(tile.level == 0 and tile.width == WIDTH for tile in tiles) == 273
    others = [tile for tile in tiles if tile.level or tile.width < WIDTH]
    assert others == [Tile(0, 273, 112), Tile(1, 0, 256), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(old=SIZES, more=st.integers(0, 3_000))
def test_a_larger_tree_has_the_tiles_that_it_names(old: int, more: int) -> None:
    """What a tree has beside the tiles of a smaller one is exactly what is named."""
    size = old + more
    known = set(tiles_of(old))
    assert list(tiles_of(size, old)) == [tile for tile in tiles_of(size) if tile not in known]


@given(size=SIZES, old=SIZES, data=st.data())
def test_tiles_give_roots_and_proofs(
    levels: list[list[bytes]], roots: dict[int, bytes], size: int, old: int, data: st.DataObject
) -> None:
    """Roots, and proofs of both kinds, follow from the tiles of the size alone, each read once."""
    old, size = sorted((old, size))
    asked: list[Tile] = []

    def read(level: int, number: int, width: int) -> bytes:
        asked.append(Tile(level, number, width))
        return b"".join(levels[level][number * WIDTH :][:width])

    node = node_of_tiles(size, read)
    root = tree_root(size, node)
    assert root == roots[size]
    assert set(asked) <= set(tiles_of(size))
    if size:
        index = data.draw(st.integers(0, size - 1))
        path = inclusion_proof(index, size, node)
        assert root_of_inclusion(LEAVES[index], index, size, path) == root
    if old:
        assert is_consistent(old, roots[old], size, root, consistency_proof(old, size, node))
    assert len(set(asked)) == len(asked) <= 3 * (len(levels) + 1)


def test_hashes_are_split() -> None:
    """Hashes that lie one after the other become a list of them."""
    assert split_hashes(b"".join(LEAVES[:3])) == LEAVES[:3]
    assert split_hashes(b"") == []
