"""Merkle trees as in RFC 6962, section 2.1: their roots, and proofs of inclusion and of consistency.

A tree of ``size`` leaves has nodes of complete subtrees. The node (level, index) is the root over the leaves
index * 2**level .. (index + 1) * 2**level - 1. Whatever keeps a tree gives these nodes, and all the rest follows. The
hash of a leaf is `pathbook.ledger.codec.leaf_hash`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from operator import lt
from typing import Final, Self, TypeAlias

HASH_BYTES: Final = 32
"""How many bytes a hash has. All are SHA-256."""

MAX_SIZE: Final = 2**63 - 1
"""The most leaves of a tree. It bounds how many hashes a proof has."""

MAX_PATH: Final = 64
"""The most hashes in a proof of a tree. A longer one is refused before any hash is taken."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves."""

Node: TypeAlias = Callable[[int, int], bytes]
"""Returns the hash of the complete subtree at (level, index)."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 | left | right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, the largest first."""

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Begin with a tree of ``size`` leaves, whose complete subtrees have these roots.

        Raises:
            ValueError: their number does not fit the size.
        """
        self.size, self.nodes = size, list(nodes)
        if len(self.nodes) != size.bit_count():
            raise ValueError(f"A tree of {size} leaves has {size.bit_count()} complete subtrees.")

    @classmethod
    def of_tree(cls, size: int, node: Node) -> Self:
        """Return the right edge of a tree of ``size`` leaves that is kept."""
        return cls(size, [node(*place) for place in complete_subtrees(0, size)])

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Append a leaf by its hash. Return the nodes that are complete now, as (level, index, hash)."""
        level, index, completed = 0, self.size, [(0, self.size, leaf)]
        self.size += 1
        while index & 1:
            leaf = node_hash(self.nodes.pop(), leaf)
            level, index = level + 1, index >> 1
            completed.append((level, index, leaf))
        self.nodes.append(leaf)
        return completed

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root


def split_hashes(hashes: bytes) -> list[bytes]:
    """Return hashes that lie one after the other as a list."""
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


def root_of_hashes(hashes: bytes) -> bytes:
    """Return the root over hashes that lie one after the other. Their number must be a power of two."""
    return root_of_row(split_hashes(hashes))


def root_of_row(row: Sequence[bytes]) -> bytes:
    """Return the root over a list of hashes. Their number must be a power of two."""
    assert row, "there is a hash"
    while len(row) > 1:
        row = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)
        ]
    return row[0]


def node_of(leaves: Sequence[bytes]) -> Node:
    """Return the nodes of the tree over the hashes of leaves. All are computed at once, for many audit paths."""
    rows = [list(leaves)]
    while len(below := rows[-1]) > 1:
        rows.append([node_hash(below[index], below[index + 1]) for index in range(0, len(below) - 1, 2)])
    return lambda level, index: rows[level][index]


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over the hashes of leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def complete_subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """Return the complete subtrees (level, index) over the leaves begin .. end - 1, from the left.

    ``begin`` must be a multiple of the largest power of two that is not above ``end - begin``.
    """
    found: list[tuple[int, int]] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def subtree_root(begin: int, end: int, node: Node) -> bytes:
    """Return the root over the leaves begin .. end - 1, where ``begin`` is as `complete_subtrees` wants it."""
    *firsts, last = complete_subtrees(begin, end)
    root = node(*last)
    for place in reversed(firsts):
        root = node_hash(node(*place), root)
    return root


def tree_root(size: int, node: Node) -> bytes:
    """Return the root of a tree of ``size`` leaves."""
    return subtree_root(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the audit path of a leaf (RFC 6962, section 2.1.1): the sibling of the leaf first.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}.")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(subtree_root(middle, end, node))
            end = middle
        else:
            path.append(subtree_root(begin, middle, node))
            begin = middle
    path.reverse()
    return path


def consistency_proof(old: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that a tree of ``size`` leaves begins with that of ``old`` (RFC 6962, section 2.1.2).

    Raises:
        ValueError: ``old`` is above ``size``.
    """
    if not 0 <= old <= size:
        raise ValueError(f"A tree of {size} leaves does not begin with one of {old}.")
    if old in (0, size):
        return []
    path: list[bytes] = []
    begin, end, is_whole = 0, size, True
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(subtree_root(middle, end, node))
            end = middle
        else:
            path.append(subtree_root(begin, middle, node))
            begin, is_whole = middle, False
    if not is_whole:
        path.append(subtree_root(begin, end, node))
    path.reverse()
    return path


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root of the tree in which a leaf has this audit path, None if no tree of ``size`` has such a path."""
    if not 0 <= index < size <= MAX_SIZE or not _are_hashes([leaf, *path]):
        return None
    root, last = leaf, size - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            root = node_hash(sibling, root)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        index, last = index >> 1, last >> 1
    return root if last == 0 else None


def multiproof(indexes: Sequence[int], size: int, node: Node) -> list[bytes]:
    """Return the hashes that lead to the root together with the leaves at some indexes, which increase.

    They are those of the audit paths of these leaves, each once, without those that follow from the leaves. They stand
    in the order of their subtrees, from the left. Without an index, the root itself is the only one.

    Raises:
        ValueError: the tree has no such leaf, or the indexes do not increase.
    """
    if not _are_places(indexes, size):
        raise ValueError(f"A tree of {size} leaves has no such leaves: {indexes}.")
    found: list[bytes] = []

    def add(begin: int, end: int, inside: Sequence[int]) -> None:
        if not inside:
            found.append(subtree_root(begin, end, node))
        elif end - begin > 1:
            middle = begin + _split(end - begin)
            cut = bisect_left(inside, middle)
            add(begin, middle, inside[:cut])
            add(middle, end, inside[cut:])

    add(0, size, indexes)
    return found


def root_of_multiproof(
    indexes: Sequence[int], leaves: Sequence[bytes], size: int, hashes: Sequence[bytes]
) -> bytes | None:
    """Return the root of the tree in which leaves at some indexes have this multiproof, None if no tree has it."""
    are_hashes = all(len(item) == HASH_BYTES for item in (*leaves, *hashes))
    if not _are_places(indexes, size) or not are_hashes:
        return None
    left, known = iter(hashes), dict(zip(indexes, leaves, strict=True))

    def root(begin: int, end: int, inside: Sequence[int]) -> bytes:
        if not inside:
            return next(left)
        if end - begin == 1:
            return known[begin]
        middle = begin + _split(end - begin)
        cut = bisect_left(inside, middle)
        return node_hash(root(begin, middle, inside[:cut]), root(middle, end, inside[cut:]))

    try:
        found = root(0, size, indexes)
    except StopIteration:
        return None
    return found if next(left, None) is None else None


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that a tree with a root begins with an older tree with its root.

    Every tree begins with the empty one, so nothing is shown of a larger tree by it, and the answer is no.
    """
    if old == size:
        return not path and old_root == root and (size > 0 or root == EMPTY_ROOT)
    if not 0 < old < size <= MAX_SIZE or not _are_hashes([old_root, *path]):
        return False
    index, last = old - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    hashes = list(path)
    if index:  # the old tree is no complete subtree of the new one, so the proof begins with a part of it
        if not hashes:
            return False
        before = after = hashes.pop(0)
    else:
        before = after = old_root
    for sibling in hashes:
        if last == 0:
            return False
        if index & 1 or index == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and before == old_root and after == root


def _split(count: int) -> int:
    """Return the largest power of two below a count of at least two."""
    return 1 << (count - 1).bit_length() - 1


def _are_places(indexes: Sequence[int], size: int) -> bool:
    """Tell whether a tree of ``size`` leaves has leaves at these indexes, which increase."""
    return 0 < size <= MAX_SIZE and all(map(lt, [-1, *indexes], [*indexes, size]))


def _are_hashes(hashes: Sequence[bytes]) -> bool:
    """Tell whether a hash and a path have the length of hashes, and the path is not too long."""
    return len(hashes) <= 1 + MAX_PATH and all(len(item) == HASH_BYTES for item in hashes)
