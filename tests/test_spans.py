"""Runs that are loaded in part: they decide and fold as if all were loaded."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import runs
from pathbook.ledger.commands import Command, RecordTransfer
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.moves import Move
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.parts import RequiredState
from pathbook.ledger.rules.required_state import required_state
from pathbook.ledger.rules.state import State, evolve, evolve_runs, roll_back
from pathbook.ledger.run import Change, Run
from pathbook.ledger.runs import Partition
from pathbook.ledger.spans import PartialPartition, StockNotLoadedError, merged
from pathbook.ledger.values import MAX_BATCH_SIZE, Price, Quantity, Selection, UnitState
from tests.projections.synthetic import SyntheticBook
from tests.rules.test_many_ranges import LEAF, POSITION, SIZE, parts_of, runs_between
from tests.rules.test_rolling_back import BEGINNING, PARTIES, apply, movements, parties, quantities
from tests.scenario import MASK, NOON, Story

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


@given(
    borders=st.sets(st.integers(1, SIZE - 1), min_size=60, max_size=300),
    points=st.sets(st.integers(0, SIZE - 1), min_size=30, max_size=200),
    chosen=st.lists(st.booleans(), min_size=2, max_size=7),
    indexed=st.booleans(),
)
def test_many_ranges_change_loaded_runs_as_in_a_whole_batch(
    borders: set[int], points: set[int], chosen: list[bool], *, indexed: bool
) -> None:
    """A pass over many ranges skips units that are not loaded, and notes which of them an owner gained."""
    whole = Partition(1, runs_between(borders))
    pattern = chosen or [False]
    part = PartialPartition(
        1,
        [run for index, run in enumerate(whole.runs) if run.owner == "ann" or pattern[index % len(pattern)]],
    )
    part.stock_ends["ann"] = MAX_BATCH_SIZE
    if indexed:
        assert list(part.in_stock("ann")) == list(whole.in_stock("ann"))
    begun, missing = list(part.runs), part.missing(0, SIZE - 1)
    kinds = [
        Move((), owner="ann", state=UnitState.IN_STOCK, push=POSITION),
        Move((), state=UnitState.LOST),
        Move((), owner="ben", state=UnitState.IN_STOCK, push=POSITION),
    ]
    moves = [(given_now, kinds[number % 3]) for number, given_now in enumerate(parts_of(points))]
    expected: list[Change] = []
    changes: list[Change] = []
    whole.apply_many(moves, POSITION, LEAF, expected)
    part.apply_many(moves, POSITION, LEAF, changes)
    assert part.runs == loaded_of(whole, part)
    assert part.missing(0, SIZE - 1) == missing
    assert changes == [
        change for change in expected if part.overlapping(change.changed.first, change.changed.last)
    ]
    absent = {unit for gap in missing for unit in range(gap.first, gap.last + 1)}
    to_ann = {
        unit for units, move in moves if move.owner == "ann" for unit in range(units.first, units.last + 1)
    }
    gained = {unit for gap in part.gained.get("ann", ()) for unit in range(gap.first, gap.last + 1)}
    assert gained == absent & to_ann
    if not gained:
        assert list(part.in_stock("ann")) == list(whole.in_stock("ann"))
    part.roll_back_many(POSITION, changes)
    assert part.runs == begun


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


def load(state: State, everything: dict[int, Partition], required: RequiredState) -> None:
    """Load runs, as the loader does. All else is loaded. Of an owner one run comes at once."""
    assert required.is_of_runs(), required
    for part in required.runs:
        found = everything[part.batch].overlapping(part.first, part.last)
        add(state, PartialPartition(part.batch, found))
    for (number, owner), (first, _) in required.stocks.items():
        found = [run for run in everything[number].owned_by(owner) if run.first >= first][:1]
        loaded = PartialPartition(number, found)
        loaded.stock_ends[owner] = found[-1].first + 1 if found else MAX_BATCH_SIZE
        add(state, loaded)


def add(state: State, loaded: PartialPartition) -> None:
    """Add runs to those that are loaded."""
    state.partitions[loaded.batch] = merged(state.partitions.get(loaded.batch), loaded)


def decide_partly(state: State, everything: dict[int, Partition], command: Command) -> Event | Refusal:
    """Decide a command as a book does: load, decide, and load more if a rule finds that stock is not loaded."""
    while required := required_state(state, [command]):
        load(state, everything, required)
    while True:
        try:
            return decide(state, command, NOON + 1)
        except StockNotLoadedError as error:
            load(state, everything, RequiredState(stocks=error.stocks, runs=set(error.gained)))


def quantity(giver: str, units: Quantity) -> Command:
    """Return the command that moves a quantity from a party to another one."""
    receiver = "ben" if giver != "ben" else "ann"
    return RecordTransfer(
        request_id="q",
        giver=giver,
        receiver=receiver,
        units=Selection(quantities=(units,)),
        unit_price=Price(1, "CNY"),
    )


def with_holdings(state: State) -> State:
    """Return a state that knows in which batches parties may own units."""
    for name in ("acme", "ann", "ben", "consumer:wei"):
        state.parties.setdefault(name, None)
        for product in state.products:
            state.holdings[name, product] = {1, 2}
    return state


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
    whole, some = with_holdings(Story(BEGINNING).state), with_holdings(Story(BEGINNING).state)
    applied: list[tuple[Applied, Applied]] = []
    for index, command in enumerate([*before, *tried]):
        for number in evicted[index % len(evicted)]:
            if not applied:
                some.partitions.pop(number, None)
        expected = decide(whole, command, NOON + 1)
        assert decide_partly(some, whole.partitions, command) == expected
        if not isinstance(expected, Refusal):
            made = apply(whole, command)
            assert made is not None
            same = made[0], evolve(some, made[0])
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


@given(
    moved=movements(),
    looked=st.lists(st.builds(quantity, parties, quantities), min_size=1, max_size=4),
    elsewhere=st.lists(movements(), min_size=1, max_size=3),
)
def test_stock_that_another_writer_moved_is_found(
    moved: list[Command], looked: list[Command], elsewhere: list[list[Command]]
) -> None:
    """Some stock is loaded, and then units move whose runs are not. Quantities take what they take of whole batches."""
    whole, some = with_holdings(Story(BEGINNING).state), with_holdings(Story(BEGINNING).state)
    for command in moved:
        if (made := apply(whole, command)) is not None:
            evolve(some, made[0])
    some.partitions.clear()
    for commands in elsewhere:
        for command in looked:
            assert decide_partly(some, whole.partitions, command) == decide(whole, command, NOON + 1)
        for command in commands:
            if (made := apply(whole, command)) is not None:
                evolve(some, made[0])
    for giver in PARTIES:
        for units in (
            Quantity(1, batch=1),
            Quantity(7, batch=2),
            Quantity(12, product=MASK),
            Quantity(60, batch=1),
        ):
            command = quantity(giver, units)
            assert decide_partly(some, whole.partitions, command) == decide(whole, command, NOON + 1)
