"""Heads of runs: they are those of the runs of a whole partition, cut in the same places."""

from collections import defaultdict
from random import Random

import pytest

from pathbook.ledger.events import BatchCommissioned
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.proofs.custody import TILE_WIDTH, HeadRun
from pathbook.ledger.proofs.heads import Heads, extend_heads
from tests.projections.synthetic import SyntheticBook


class Kept:
    """The blocks of all batches as a store keeps them, and what is loaded of them."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.blocks: dict[int, dict[int, list[HeadRun]]] = defaultdict(dict)
        self.loaded: dict[int, Heads] = {}

    def write(self) -> None:
        """Keep what was written, and forget what is loaded."""
        for batch, heads in self.loaded.items():
            self.blocks[batch].update((block, list(heads.block(block))) for block in heads.written)
        self.loaded = {batch: Heads(size) for batch, size in self.sizes.items()}

    def load(self, batch: int, first: int, last: int) -> None:
        """Load the blocks that have any of the units first .. last."""
        for block, runs in self.blocks[batch].items():
            if runs[-1].last >= first and block * TILE_WIDTH <= last:
                self.loaded[batch].add(runs)


@pytest.mark.parametrize("seed", range(12))
def test_heads_are_those_of_the_runs_of_a_book(seed: int) -> None:
    """Head, position and origin of each run are those of the partitions, whatever was loaded again in between."""
    book, random, kept = SyntheticBook(seed, 150), Random(seed), Kept()
    for recorded in book.recorded:
        if random.random() < 0.2:  # what is written is loaded again where it is needed
            kept.write()
        event = recorded.event
        if isinstance(event, BatchCommissioned):
            kept.sizes[event.batch] = event.size
            kept.loaded[event.batch] = Heads(event.size)
        for part in changed_ranges(event):
            heads = kept.loaded[part.batch]
            first, last = part.first & -TILE_WIDTH, part.last + 1 | TILE_WIDTH - 1
            if not heads.has(first, last):
                kept.load(part.batch, first, last)
            assert heads.has(first, last)
        extend_heads(kept.loaded, recorded)
        for part in changed_ranges(event):
            runs = kept.loaded[part.batch].runs(part.first, part.last)
            assert {run.position for run in runs} == {recorded.position}
            assert (runs[0].first, runs[-1].last) == (part.first, part.last)
    kept.write()
    for batch, partition in book.state.partitions.items():
        expected = [
            HeadRun(run.first, run.last, run.head, run.position, run.origin) for run in partition.runs
        ]
        assert [run for _, runs in sorted(kept.blocks[batch].items()) for run in runs] == expected
        assert all(
            {run.first // TILE_WIDTH for run in runs} == {block} for block, runs in kept.blocks[batch].items()
        )


def test_only_loaded_units_count_as_loaded() -> None:
    """A gap between loaded runs is seen. What is behind the last unit need not be loaded."""
    heads = Heads(100)
    for runs in ([(10, 19)], [(20, 29)], [(45, 45), (46, 49)], [(90, 99)]):
        heads.add([HeadRun(first, last, b"") for first, last in runs])
    assert heads.has(10, 29)
    assert heads.has(15, 20)
    assert heads.has(45, 49)
    assert heads.has(95, 1_000)
    assert not heads.has(9, 10)
    assert not heads.has(29, 30)
    assert not heads.has(25, 47)
    assert not heads.has(50, 50)
    assert not heads.is_whole


def test_all_runs_of_a_range_are_found() -> None:
    """They are found whether they begin in one block or in several, and where long ones leave blocks without any."""
    bounds = [(0, 2), (3, 15), (16, 99), (100, 100), (101, 110), (111, 199)]
    expected = [HeadRun(first, last, b"") for first, last in bounds]
    heads = Heads(200)
    for block in {first // TILE_WIDTH for first, _ in bounds}:
        heads.add([run for run in expected if run.first // TILE_WIDTH == block])
    assert heads.is_whole
    for first in range(200):
        for last in range(first, 200):
            assert heads.runs(first, last) == [
                run for run in expected if run.first <= last and run.last >= first
            ]
