"""Runs that are loaded in part: they decide and fold as if all were loaded."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import runs
from pathbook.ledger.commands import Command
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.required_state import required_state
from pathbook.ledger.rules.state import State, evolve, evolve_runs, roll_back
from pathbook.ledger.runs import Change, Partition, Run
from pathbook.ledger.spans import PartialPartition, merged
from tests.projections.synthetic import SyntheticBook
from tests.rules.test_rolling_back import BEGINNING, apply, movements
from tests.scenario import NOON, Story

Applied = tuple[RecordedEvent, list[Change]]

seeds = st.integers(0, 2**32)
numbers = st.integers(-2, 45)


def part_of(partition: Partition, chosen: list[bool]) -> PartialPartition:
    """Return some runs of a partition. The choice is repeated."""
    pattern = chosen or [False]
    found = [run for index, run in enumerate(partition.runs) if pattern[index % len(pattern)]]
    return PartialPartition(partition.batch, found)


def loaded_of(whole: Partition, part: Partition) -> list[Run]:
    """Return the runs of a whole partition whose units the part has."""
    return [run for run in whole.runs if not part.missing(run.first, run.last)]


@given(seed=seeds, chosen=st.lists(st.booleans(), max_size=5), first=numbers, last=numbers)
def test_missing_units_are_those_of_runs_that_are_not_loaded(
    seed: int, chosen: list[bool], first: int, last: int
) -> None:
    """A naive look at each unit finds the same missing units and the same loaded runs."""
    whole = SyntheticBook(seed, 40).state.partitions[2]
    part = part_of(whole, chosen)
    held = {unit for run in part.runs for unit in range(run.first, min(run.last, 60) + 1)}
    gaps = part.missing(first, last)
    found = [unit for gap in gaps for unit in range(gap.first, gap.last + 1)]
    assert found == [unit for unit in range(first, last + 1) if unit not in held]
    assert all(one.last + 1 < two.first for one, two in itertools.pairwise(gaps))
    overlapping = [run for run in part.runs if run.first <= last and run.last >= first and first <= last]
    if first <= last:
        assert part.overlapping(first, last) == overlapping
        assert part.count(first, last) == len(overlapping)


@given(seed=seeds, cut=st.integers(10, 60), chosen=st.lists(st.booleans(), max_size=7))
def test_events_change_loaded_runs_as_in_a_whole_batch(seed: int, cut: int, chosen: list[bool]) -> None:
    """After each event, the loaded runs are those of the whole batches, and no unit came or went."""
    book = SyntheticBook(seed, 60)
    whole: dict[int, Partition] = {}
    for recorded in book.recorded[:cut]:
        runs.apply(whole, recorded)
    parts: dict[int, Partition] = {number: part_of(found, chosen) for number, found in whole.items()}
    for recorded in book.recorded[cut:]:
        before = {number: part.missing(0, 1_000_000) for number, part in parts.items()}
        expected = runs.apply(whole, recorded)
        changes = runs.apply(parts, recorded)
        assert set(changes) <= set(expected)
        for number, units in before.items():
            assert parts[number].runs == loaded_of(whole[number], parts[number])
            assert parts[number].missing(0, 1_000_000) == units


@given(seed=seeds, chosen=st.lists(st.lists(st.booleans(), max_size=5), min_size=2, max_size=4))
def test_parts_that_are_loaded_one_after_the_other_are_merged(seed: int, chosen: list[list[bool]]) -> None:
    """The merged part has the runs of all, and a whole batch stays whole."""
    whole = SyntheticBook(seed, 60).state.partitions[2]
    known: Partition | None = None
    for pattern in chosen:
        known = merged(known, part_of(whole, pattern))
    assert known is not None
    expected = [run for run in whole.runs if any(run in part_of(whole, p).runs for p in chosen)]
    assert known.runs == expected
    assert merged(known, whole) is whole
    assert merged(whole, known) is whole


def load(state: State, everything: dict[int, Partition], command: Command) -> None:
    """Load what a command needs of runs, as the loader does. All else is loaded."""
    while required := required_state(state, [command]):
        assert required.is_of_runs(), required
        for number in required.whole:
            state.partitions[number] = Partition(number, everything[number].runs)
        for part in required.runs:
            found = everything[part.batch].overlapping(part.first, part.last)
            loaded = PartialPartition(part.batch, found)
            state.partitions[part.batch] = merged(state.partitions.get(part.batch), loaded)


@given(
    before=movements(),
    tried=movements(),
    evicted=st.lists(st.sampled_from([(), (1,), (2,), (1, 2)]), min_size=1),
    undone=st.booleans(),
)
def test_a_state_with_some_runs_decides_as_a_whole_one(
    before: list[Command], tried: list[Command], evicted: list[tuple[int, ...]], undone: bool
) -> None:
    """Each command is decided alike, whatever was evicted before it, also after the last events were rolled back."""
    whole, some = Story(BEGINNING).state, Story(BEGINNING).state
    for state in (whole, some):
        for name in ("acme", "ann", "ben", "consumer:wei"):
            state.parties.setdefault(name, None)
            for product in whole.products:
                state.holdings[name, product] = {1, 2}
    applied: list[tuple[Applied, Applied]] = []
    for index, command in enumerate([*before, *tried]):
        for number in evicted[index % len(evicted)]:
            if not applied:
                some.partitions.pop(number, None)
        load(some, whole.partitions, command)
        expected = decide(whole, command, NOON + 1)
        assert decide(some, command, NOON + 1) == expected
        if not isinstance(expected, Refusal):
            made, same = apply(whole, command), apply(some, command)
            assert made is not None
            assert same is not None
            assert set(made[1]) == set(same[1])
            if undone and index >= len(before):
                applied.append((made, same))
    for made, same in reversed(applied):
        roll_back(whole, *made, NOON)
        roll_back(some, *same, NOON)
    for number, partition in some.partitions.items():
        assert partition.runs == loaded_of(whole.partitions[number], partition)


@given(seed=seeds, cut=st.integers(10, 60))
def test_runs_evolve_alone_as_with_everything_else(seed: int, cut: int) -> None:
    """A state of which only runs are of use has the same runs at the same position."""
    book = SyntheticBook(seed, 60)
    alone, together = State("book"), State("book")
    for recorded in book.recorded[:cut]:
        evolve(together, recorded)
        evolve_runs(alone, recorded)
    assert (alone.position, alone.recorded_at) == (together.position, together.recorded_at)
    stock = {number: partition.runs for number, partition in alone.partitions.items()}
    assert stock == {number: partition.runs for number, partition in together.partitions.items()}
