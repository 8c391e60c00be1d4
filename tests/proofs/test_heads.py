"""Heads of runs: they are those of the runs of a whole partition, cut in the same places."""

from collections import defaultdict
from random import Random

import pytest

from pathbook.ledger.events import BatchCommissioned
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.proofs.custody import HeadRun
from pathbook.ledger.proofs.heads import Heads, extend_heads
from tests.projections.synthetic import SyntheticBook


@pytest.mark.parametrize("seed", range(12))
def test_heads_are_those_of_the_runs_of_a_book(seed: int) -> None:
    """Head, position and origin of each run are those of the partitions, whatever was loaded again in between."""
    book, random = SyntheticBook(seed, 150), Random(seed)
    kept: dict[int, dict[int, HeadRun]] = defaultdict(dict)
    loaded: defaultdict[int, Heads] = defaultdict(Heads)
    for recorded in book.recorded:
        if random.random() < 0.2:  # what is written is loaded again where it is needed
            for batch, heads in loaded.items():
                kept[batch].update((first, heads.run(first)) for first in heads.written)
            loaded = defaultdict(Heads)
        if not isinstance(recorded.event, BatchCommissioned):
            for part in changed_ranges(recorded.event):
                if not loaded[part.batch].has(part.first, part.last):
                    overlapping = [
                        run
                        for run in kept[part.batch].values()
                        if run.first <= part.last and run.last >= part.first
                    ]
                    loaded[part.batch].add(overlapping)
                assert loaded[part.batch].has(part.first, part.last)
        extend_heads(loaded, recorded)
    for batch, heads in loaded.items():
        kept[batch].update((first, heads.run(first)) for first in heads.written)
    for batch, partition in book.state.partitions.items():
        expected = [
            HeadRun(run.first, run.last, run.head, run.position, run.origin) for run in partition.runs
        ]
        assert [run for _, run in sorted(kept[batch].items())] == expected


def test_only_loaded_units_count_as_loaded() -> None:
    """A gap between loaded runs is seen."""
    heads = Heads()
    heads.add([HeadRun(10, 19, b""), HeadRun(20, 29, b""), HeadRun(40, 49, b"")])
    assert heads.has(10, 29)
    assert heads.has(15, 20)
    assert not heads.has(9, 10)
    assert not heads.has(29, 30)
    assert not heads.has(25, 45)
    assert not heads.has(50, 50)
