"""Trees: others' vectors, the definition of RFC 6962 word for word, and proofs that were changed."""

import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    multiproof,
    node_hash,
    root_of,
    root_of_inclusion,
    root_of_multiproof,
    tree_root,
)
from tests.examples import examples
from tests.proofs.prover import hashes_beside
from tests.proofs.prover import root as by_definition
from tests.proofs.vectors import VECTORS, missing

RFC_6962: Final = VECTORS / "rfc6962"
COUNT: Final = 196
"""How many vectors of RFC 6962 there are."""

Nodes = dict[tuple[int, int], bytes]


def leaves(count: int) -> list[bytes]:
    """Return the hashes of leaves that all differ."""
    return [leaf_hash(b"leaf %d" % number) for number in range(count)]


def nodes_of(hashes: Sequence[bytes]) -> Nodes:
    """Return all nodes of complete subtrees, as a growing tree completes them."""
    frontier = Frontier()
    return {(level, index): node for leaf in hashes for level, index, node in frontier.append(leaf)}


@pytest.mark.skipif(not RFC_6962.is_dir(), reason=missing("rfc6962", COUNT))
def test_the_vectors_of_others_are_answered_as_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Each vector of inclusion and of consistency is accepted or refused as it says."""

    def hashes(texts: list[str] | None) -> list[bytes]:
        return [base64.b64decode(text) for text in texts or ()]

    tried = 0
    for path in sorted(RFC_6962.rglob("*.json")):
        vector = json.loads(path.read_text("utf-8"))
        proof = hashes(vector["proof"])
        if "leafIdx" in vector:
            leaf, root = hashes([vector["leafHash"], vector["root"]])
            accepted = root_of_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof) == root
        else:
            old, new = hashes([vector["root1"], vector["root2"]])
            accepted = is_consistent(vector["size1"], old, vector["size2"], new, proof)
        assert accepted is not vector["wantErr"], path
        tried += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{tried} vectors of RFC 6962 trees\n")
    assert tried == COUNT


@given(st.integers(0, 130))
def test_a_root_is_what_the_specification_defines(size: int) -> None:
    """A growing tree, and one that is asked for its nodes, have the root of the definition."""
    hashes = leaves(size)
    nodes = nodes_of(hashes)
    assert root_of(hashes) == tree_root(size, lambda *place: nodes[place]) == by_definition(hashes)


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    """A tree without leaves has the root that RFC 6962 gives it."""
    assert Frontier().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@given(st.data())
def test_every_leaf_is_proved_and_no_other(data: st.DataObject) -> None:
    """An audit path gives the root for its leaf at its place, and for no other leaf, place or size."""
    size = data.draw(st.integers(1, 100))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    nodes = nodes_of(hashes)
    root, path = by_definition(hashes), inclusion_proof(index, size, lambda *place: nodes[place])
    assert root_of_inclusion(hashes[index], index, size, path) == root
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index)) if size > 1 else index
    if other != index:
        assert root_of_inclusion(hashes[index], other, size, path) != root
        assert root_of_inclusion(hashes[other], index, size, path) != root
    for changed in changes(data, path):
        assert root_of_inclusion(hashes[index], index, size, changed) != root
    assert root_of_inclusion(hashes[index], size, size, path) is None
    assert root_of_inclusion(hashes[index], -1, size, path) is None


@given(st.data())
@settings(max_examples=examples(25, 60))
def test_some_leaves_are_proved_together_and_no_others(data: st.DataObject) -> None:
    """A multiproof is by its definition, leads to the root, and to no root once anything of it is changed."""
    size = data.draw(st.integers(1, 40))
    hashes = leaves(size)
    nodes = nodes_of(hashes)
    shown = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    proof = multiproof(shown, size, lambda level, index: nodes[level, index])
    assert proof == hashes_beside(frozenset(shown), hashes)
    right = [hashes[index] for index in shown]
    root = by_definition(hashes)
    assert root_of_multiproof(shown, right, size, proof) == root
    wrong = [(shown, right, size, [*proof, bytes(32)]), (shown, right, 0, proof)]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        before, after = proof[:place], proof[place + 1 :]
        wrong.append((shown, right, size, [*before, *after]))
        wrong.append((shown, right, size, [*before, bytes(32), *after]))
        wrong.append((shown, right, size, [*before, proof[place][:31], *after]))
    if shown:
        place = data.draw(st.integers(0, len(shown) - 1))
        other = data.draw(st.integers(0, size + 1).filter(lambda index: index != shown[place]))
        wrong.append(([*shown[:place], other, *shown[place + 1 :]], right, size, proof))
        wrong.append((shown, [*right[:place], leaf_hash(b"other"), *right[place + 1 :]], size, proof))
        wrong.append((sorted([*shown, shown[place]]), [right[0], *right], size, proof))
    assert all(root_of_multiproof(*each) != root for each in wrong)


@pytest.mark.parametrize("indexes", [[-1], [3], [1, 1], [2, 0]])
def test_leaves_that_a_tree_has_not_have_no_multiproof(indexes: list[int]) -> None:
    """Indexes increase, and each is of a leaf."""
    hashes = leaves(3)
    nodes = nodes_of(hashes)
    with pytest.raises(ValueError, match="no such leaves"):
        multiproof(indexes, 3, lambda level, index: nodes[level, index])
    assert root_of_multiproof(indexes, hashes[: len(indexes)], 3, hashes) is None


@given(st.data())
def test_every_older_tree_is_proved_and_no_other(data: st.DataObject) -> None:
    """A proof of consistency holds for its two roots, and for no changed proof, root or size."""
    size = data.draw(st.integers(1, 100))
    old = data.draw(st.integers(1, size))
    hashes = leaves(size)
    nodes = nodes_of(hashes)
    before, after = by_definition(hashes[:old]), by_definition(hashes)
    path = consistency_proof(old, size, lambda *place: nodes[place])
    assert is_consistent(old, before, size, after, path)
    wrong = bytes(32)
    assert not is_consistent(old, wrong, size, after, path)
    assert not is_consistent(old, before, size, wrong, path)
    for changed in changes(data, path):
        assert not is_consistent(old, before, size, after, changed)
    assert not is_consistent(0, EMPTY_ROOT, size, after, [])
    if old < size:
        assert not is_consistent(old + 1, before, size, after, path)
        assert not is_consistent(size, before, old, after, path)


def changes(data: st.DataObject, path: list[bytes]) -> list[list[bytes]]:
    """Return proofs that differ from a proof: a bit flipped, a hash more, less, or moved."""
    changed = [[*path, bytes(32)], [bytes(32), *path]]
    if path:
        place, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
        flipped = bytearray(path[place])
        flipped[bit // 8] ^= 1 << bit % 8
        changed += [[*path[:place], bytes(flipped), *path[place + 1 :]], path[:-1], path[1:]]
    if len(path) > 1:
        changed.append(path[::-1])
    return [item for item in changed if item != path]


def test_a_frontier_that_does_not_fit_its_size_is_refused() -> None:
    """Complete subtrees of another size raise an error."""
    with pytest.raises(ValueError, match="5 leaves has 2 complete subtrees"):
        Frontier(5, [bytes(32)])


def test_a_frontier_goes_on_where_another_one_was() -> None:
    """Size and nodes are all that a growing tree needs to go on."""
    hashes = leaves(21)
    first = Frontier()
    for leaf in hashes[:13]:
        first.append(leaf)
    second = Frontier(first.size, first.nodes)
    for leaf in hashes[13:]:
        second.append(leaf)
    assert second.root() == by_definition(hashes)
    assert node_hash(by_definition(hashes[:8]), by_definition(hashes[8:13])) == first.root()
