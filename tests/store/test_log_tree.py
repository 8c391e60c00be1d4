"""The tree over the log is the one of RFC 6962, in whatever process it is brought up, and however often dropped."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.tiles import WIDTH
from pathbook.ledger.proofs.tree import EMPTY_ROOT, is_consistent, root_of, root_of_inclusion
from pathbook.ledger.store.database.engine import Purpose
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.event_hashes import StoredEntry
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree import log_tree
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.ledger.store.tree.nodes import TREE_NODE
from tests.examples import examples

BOOK = "masks"
SIZE = 3 * WIDTH + 77
LARGE = WIDTH * WIDTH + WIDTH + 3
"""Above 65,536, so that there is a node of the second level that is kept."""

LEAVES = [leaf_hash(b"event %d" % number) for number in range(LARGE)]


class CountingStream(Stream):
    """A log that counts the events that are read from it."""

    events = 0

    def read(self, book: str, after: int, limit: int, through: int | None = None) -> list[StoredEntry]:
        """Read, and count."""
        found = super().read(book, after, limit, through)
        self.events += len(found)
        return found


def fill(stream: Stream, after: int, through: int, book: str = BOOK) -> None:
    """Append events up to a position, whose bytes say their number."""
    entries = [("Kind.v1", b"event %d" % number) for number in range(after, through)]
    stream.append(book, after, entries)


def kept(stream: Stream, book: str = BOOK) -> list[tuple[int, int]]:
    """Return which nodes are kept, as (level, number)."""
    of_book = sa.select(TREE_NODE.c.level, TREE_NODE.c.number).where(TREE_NODE.c.book == book)
    with stream.engine.connect() as connection:
        if not sa.inspect(connection).has_table(TREE_NODE.name):
            return []
        return [(level, number) for level, number in connection.execute(of_book).all()]


def change_nodes(stream: Stream, statement: sa.Update | sa.Delete) -> None:
    """Change kept nodes, as damage does."""
    with stream.engine.begin() as connection:
        connection.execute(statement)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=examples(10, 25),
)
@given(sizes=st.lists(st.integers(0, SIZE), min_size=1, max_size=6), data=st.data())
def test_roots_and_proofs_of_any_size_follow(stream: Stream, sizes: list[int], data: st.DataObject) -> None:
    """Whatever sizes are asked for in whatever order, roots and proofs are those over the leaves."""
    head = stream.head(BOOK)
    if head == 0:
        fill(stream, 0, SIZE)
    tree = LogTree(stream)
    for size in sizes:
        if data.draw(st.booleans()):
            tree.drop(data.draw(st.sampled_from([BOOK, None])))
        root = tree.root(BOOK, size)
        assert root == root_of(LEAVES[:size])
        assert tree.frontier(BOOK, size).root() == root
        old = data.draw(st.integers(0, size))
        proof = tree.consistency_proof(BOOK, old, size)
        assert is_consistent(old, root_of(LEAVES[:old]), size, root, proof) or old == 0
        if size:
            position = data.draw(st.integers(1, size))
            path = tree.inclusion_proof(BOOK, position, size)
            assert root_of_inclusion(LEAVES[position - 1], position - 1, size, path) == root
    assert EMPTY_ROOT == tree.root(BOOK, 0) == tree.root("other", 0)


def test_a_kept_path_is_of_its_event_and_its_tree(stream: Stream) -> None:
    """Neither another event nor a tree of another size gets the path that was kept last."""
    tree = LogTree(stream)
    fill(stream, 0, 9)
    for position, size in ((3, 7), (3, 7), (5, 7), (5, 9), (3, 9)):
        path = tree.inclusion_proof(BOOK, position, size)
        assert root_of_inclusion(LEAVES[position - 1], position - 1, size, path) == root_of(LEAVES[:size])


def test_a_large_tree_keeps_a_row_for_256_events(stream: Stream) -> None:
    """Nodes of both levels are kept, each once, and another process reads few events for a proof."""
    for after in range(0, LARGE, 10_000):
        fill(stream, after, min(LARGE, after + 10_000))
    root = LogTree(stream).root(BOOK, LARGE)
    assert root == root_of(LEAVES)
    assert sorted(kept(stream)) == [(1, number) for number in range(257)] + [(2, 0)]
    counting = CountingStream(stream.engine)
    tree = LogTree(counting)
    path = tree.inclusion_proof(BOOK, LARGE, LARGE)
    assert root_of_inclusion(LEAVES[-1], LARGE - 1, LARGE, path) == root
    assert counting.events == LARGE % WIDTH
    tree.consistency_proof(BOOK, 1_000, LARGE)
    assert counting.events <= 2 * WIDTH
    counting.close()


def test_a_tree_grows_with_the_log(stream: Stream) -> None:
    """An object that was asked for a small tree gives larger ones later, and smaller ones still."""
    tree, after = LogTree(stream), 0
    for size in (1, 255, 256, 257, 700, SIZE):
        fill(stream, after, size)
        after = size
        assert tree.root(BOOK, size) == root_of(LEAVES[:size])
        assert tree.root(BOOK, size // 2) == root_of(LEAVES[: size // 2])
    assert sorted(kept(stream)) == [(1, 0), (1, 1), (1, 2)]


def test_many_bring_it_up_at_once(
    stream: Stream, connect: Callable[[Purpose], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads and other processes that bring up the same tree keep the same nodes, and agree."""
    monkeypatch.setattr(log_tree, "NODES_AT_ONCE", 1)
    fill(stream, 0, SIZE)
    streams = [Stream(connect("events")) for _ in range(3)]
    trees = [LogTree(other) for other in streams]
    begin = threading.Barrier(6)

    def ask(tree: LogTree) -> bytes:
        begin.wait()
        return tree.root(BOOK, SIZE)

    with ThreadPoolExecutor(6) as threads:
        roots = list(threads.map(ask, trees + trees))
    assert set(roots) == {root_of(LEAVES[:SIZE])}
    assert sorted(kept(stream)) == [(1, 0), (1, 1), (1, 2)]
    for other in streams:
        other.close()


def test_lost_nodes_are_made_again(stream: Stream) -> None:
    """If a row is gone or is no hash, the nodes of the book are made again, and other books keep theirs."""
    for book in (BOOK, "other"):
        fill(stream, 0, SIZE, book)
        LogTree(stream).catch_up(book, SIZE)
    row = sa.and_(TREE_NODE.c.book == BOOK, TREE_NODE.c.number == 1)
    for damage in (TREE_NODE.delete().where(row), TREE_NODE.update().where(row).values(hash=b"x")):
        change_nodes(stream, damage)
        assert LogTree(stream).root(BOOK, SIZE) == root_of(LEAVES[:SIZE])
        assert sorted(kept(stream)) == [(1, 0), (1, 1), (1, 2)] == sorted(kept(stream, "other"))


def test_a_damaged_event_makes_no_tree(stream: Stream) -> None:
    """An event that is not what was written is named, instead of a root over it."""
    fill(stream, 0, SIZE)
    with stream.engine.begin() as connection:
        connection.execute(EVENT.update().where(EVENT.c.position == 300).values(state=b"event x"))
    with pytest.raises(EventDamagedError, match="position 300"):
        LogTree(stream).root(BOOK, SIZE)
    assert LogTree(stream).root(BOOK, 256) == root_of(LEAVES[:256])


def test_a_killed_rebuild_goes_on(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process kept before it was killed is not made twice, and what it did not keep is no gap."""
    monkeypatch.setattr(log_tree, "NODES_AT_ONCE", 2)
    fill(stream, 0, SIZE)
    tree = LogTree(stream)
    tree.catch_up(BOOK, 2 * WIDTH)
    assert sorted(kept(stream)) == [(1, 0), (1, 1)]
    counting = CountingStream(stream.engine)
    assert LogTree(counting).root(BOOK, SIZE) == root_of(LEAVES[:SIZE])
    assert counting.events == SIZE - 2 * WIDTH
    counting.close()
