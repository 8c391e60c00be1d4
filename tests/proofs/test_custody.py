"""Custody trees: whatever changed, in whatever order, the root is that over all heads, and its proofs hold."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.proofs.custody import (
    CustodyChange,
    CustodyTree,
    HeadRun,
    TilePlace,
    doubled,
    unit_leaf,
)
from pathbook.ledger.proofs.tree import root_of, root_of_inclusion


class MemoryStore:
    """Keeps runs and tiles in memory, and counts what was read."""

    def __init__(self, size: int, head: bytes) -> None:
        self.size = size
        self.held = [HeadRun(0, size - 1, head)]
        self.tiles: dict[TilePlace, bytes] = {}
        self.reads = 0

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return the runs that have any of these units."""
        self.reads += 1
        place = bisect_right(self.held, first, key=lambda run: run.first) - 1
        found = []
        while place < len(self.held) and self.held[place].first <= last:
            found.append(self.held[place])
            place += 1
        return found

    def tile(self, place: TilePlace) -> bytes | None:
        """Return a tile."""
        self.reads += 1
        return self.tiles.get(place)

    def move(self, first: int, last: int, position: int) -> None:
        """Give the units first .. last new heads, as an event at a position does."""
        pieces = []
        for run in self.held:
            if run.last < first or run.first > last:
                pieces.append(run)
                continue
            if run.first < first:
                pieces.append(HeadRun(run.first, first - 1, run.head))
            low, high = max(run.first, first), min(run.last, last)
            pieces.append(HeadRun(low, high, hashlib.sha256(run.head + position.to_bytes(8, "big")).digest()))
            if run.last > last:
                pieces.append(HeadRun(last + 1, run.last, run.head))
        self.held = pieces

    def seal(self, changed: Sequence[tuple[int, int]]) -> None:
        """Bring the tiles to the heads."""
        self.tiles.update(CustodyChange(self.size, self, changed).tiles)

    def heads(self) -> list[bytes]:
        """Return the head of each unit."""
        return [run.head for run in self.held for _ in range(run.first, run.last + 1)]


@st.composite
def changes(draw: st.DrawFn, size: int) -> list[list[tuple[int, int]]]:
    """Draw ranges of units that change between seals. Some are one unit, some are all, some begin with a tile."""
    edges = st.integers(0, size - 1) | st.sampled_from(
        [edge for edge in (0, 15, 16, 255, 256, 4_095, 4_096, size - 1) if edge < size]
    )
    one = st.tuples(edges, edges).map(lambda pair: (min(pair), max(pair)))
    return draw(st.lists(st.lists(one, min_size=1, max_size=4), max_size=5))


@given(st.data(), st.sampled_from([1, 2, 3, 15, 16, 17, 31, 255, 256, 257, 300, 1_000, 4_097]))
def test_the_root_is_that_over_all_heads(data: st.DataObject, size: int) -> None:
    """After each seal, root and proofs are those of the tree over the heads of all units."""
    store = MemoryStore(size, hashlib.sha256(b"commissioned").digest())
    position = 1
    for changed in [[], *data.draw(changes(size))]:
        for first, last in changed:
            position += 1
            store.move(first, last, position)
        if changed:
            store.seal(changed)
        tree, heads = CustodyTree(size, store), store.heads()
        root = tree.root()
        assert root == root_of(map(unit_leaf, heads))
        for unit in {0, size // 2, size - 1, *(first for first, _ in changed)}:
            assert root_of_inclusion(unit_leaf(heads[unit]), unit, size, tree.proof(unit)) == root


@given(st.data())
def test_tiles_do_not_depend_on_when_it_was_sealed(data: st.DataObject) -> None:
    """Sealing after each change, and once after all, gives the same root and the same proofs."""
    size = 5_000
    often, once = (MemoryStore(size, bytes(32)) for _ in range(2))
    touched: list[tuple[int, int]] = []
    for position, changed in enumerate(data.draw(changes(size)), 2):
        for first, last in changed:
            for store in (often, once):
                store.move(first, last, position)
        often.seal(changed)
        touched += changed
    if touched:
        once.seal(touched)
    assert often.tiles == once.tiles
    assert CustodyTree(size, often).root() == CustodyTree(size, once).root()


def test_units_that_nobody_moved_cost_nothing() -> None:
    """A batch of a billion units keeps no tile, and its root takes few reads. One moved unit keeps one tile a level."""
    size = 1_000_000_000
    store = MemoryStore(size, bytes(32))
    CustodyTree(size, store).root()
    assert store.reads < 100
    store.move(123_456_789, 123_456_789, 2)
    store.reads = 0
    store.seal([(123_456_789, 123_456_789)])
    assert len(store.tiles) == 7
    assert store.reads < 200
    store.reads = 0
    path = CustodyTree(size, store).proof(123_456_789)
    assert len(path) == 30
    assert store.reads < 100


@given(
    st.lists(st.tuples(st.integers(0, 70), st.lists(st.integers(0, 5_000), max_size=4)), max_size=12),
    st.data(),
)
def test_a_register_grows_and_its_root_is_that_over_all_leaves(
    steps: list[tuple[int, list[int]]], data: st.DataObject
) -> None:
    """Whatever is added and changed between seals, it has the root and the proofs of the tree over its leaves."""
    store = MemoryStore(0, b"")
    store.held = []
    leaves: list[bytes] = []
    for number, (added, changed) in enumerate(steps):
        many = added * data.draw(st.sampled_from([1, 1, 16, 60]))
        moved = {place % len(leaves) for place in changed} if leaves else set()
        for place in moved:
            leaves[place] = b"changed %d %d" % (number, place)
        moved.update(range(len(leaves), len(leaves) + many))
        leaves += [b"added %d" % place for place in range(len(leaves), len(leaves) + many)]
        store.held = [HeadRun(place, place, leaf) for place, leaf in enumerate(leaves)]
        store.size = len(leaves)
        store.seal([(place, place) for place in moved])
        tree = CustodyTree(store.size, store)
        root = tree.root()
        assert root == root_of(map(unit_leaf, leaves))
        for place in (
            {0, len(leaves) // 2, len(leaves) - 1, *moved} if len(leaves) < 200 else {*list(moved)[:3]}
        ):
            if leaves:
                assert (
                    root_of_inclusion(unit_leaf(leaves[place]), place, store.size, tree.proof(place)) == root
                )


def test_a_register_of_ten_thousand_grows_by_few_reads() -> None:
    """One leaf more takes the tiles above it, and no other leaf but its neighbors."""
    store = MemoryStore(0, b"")
    store.held = [HeadRun(place, place, b"%d" % place) for place in range(70_000)]
    for size in (4_096, 4_097, 65_536, 65_537):
        store.size = size
        store.seal(
            [(place, place) for place in range(size - 1 if store.tiles else 0, size)]
            if size % 2
            else [(0, size - 1)]
        )
        store.reads = 0
        CustodyTree(size, store).root()
        assert store.reads < 10
        assert CustodyTree(size, store).root() == root_of(unit_leaf(b"%d" % place) for place in range(size))


def test_a_doubled_head_is_the_root_of_equal_units() -> None:
    """The doubled hash of a head is the root over units that all have it."""
    head = hashlib.sha256(b"head").digest()
    for level in range(6):
        assert doubled(head, level) == root_of([unit_leaf(head)] * 2**level)
