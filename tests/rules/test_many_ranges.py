"""Events with many ranges: changed in one pass, runs, stock and cases are as if each range were changed alone."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import events, ranges
from pathbook.ledger.hops import Hop
from pathbook.ledger.moves import Move
from pathbook.ledger.rules import goods
from pathbook.ledger.rules.goods import Batch, Case
from pathbook.ledger.run import Change, Run
from pathbook.ledger.runs import INDEXED_MAX_RUNS, SPLICED_MAX_RANGES, Partition
from pathbook.ledger.values import Ranges, UnitRange, UnitState
from tests.scenario import Story

SIZE: Final = 400
HOP: Final = Hop(3, "acme", 1, 0, None)
OWNERS: Final = ("acme", "ann", "ben")
LEAF: Final = b"l" * 32
POSITION: Final = 9
BOOK: Final = "brand acme\nproduct mask 300 CNY of acme\nbatch L of mask size 400 made 2025-12-01 by acme"


def runs_between(borders: set[int]) -> list[Run]:
    """Return runs that begin at these units, with different owners."""
    firsts = sorted(borders | {0})
    return [
        Run(
            first,
            last - 1,
            5,
            5,
            first,
            0,
            0,
            OWNERS[first % 3],
            "acme",
            UnitState.OFFERED if first % 7 == 0 else UnitState.IN_STOCK,
            3,
            HOP,
            first.to_bytes(32, "big"),
        )
        for first, last in zip(firsts, [*firsts[1:], SIZE], strict=True)
    ]


def parts_of(points: set[int]) -> list[UnitRange]:
    """Return sorted, disjoint ranges between pairs of units."""
    chosen = sorted(points)
    return [UnitRange(1, first, last) for first, last in zip(chosen[::2], chosen[1::2], strict=False)]


def stock(partition: Partition) -> dict[str, list[Run]]:
    """Return the stock of each owner, by the index."""
    return {owner: list(partition.in_stock(owner)) for owner in OWNERS}


borders = st.one_of(st.sets(st.integers(1, SIZE - 1), max_size=300), st.just(set(range(1, SIZE))))
points = st.sets(st.integers(0, SIZE - 1), min_size=2, max_size=300)


@given(borders=borders, points=points, indexed=st.booleans())
def test_many_ranges_are_changed_as_one_after_the_other(
    borders: set[int], points: set[int], *, indexed: bool
) -> None:
    """Runs, changes and the stock index are the same, and rolling back restores what was there before."""
    begun = runs_between(borders)
    moves = [
        Move((), owner="ann", state=UnitState.IN_STOCK, push=POSITION),
        Move((), state=UnitState.LOST),
        Move((), custodian="ben"),
    ]
    given_moves = [(part, moves[number % 3]) for number, part in enumerate(parts_of(points))]
    one, many = Partition(1, begun), Partition(1, begun)
    before = stock(many) if indexed else {}
    singly: list[Change] = []
    together: list[Change] = []
    for part, move in given_moves:
        one.apply(move, part, POSITION, LEAF, singly)
    many.apply_many(given_moves, POSITION, LEAF, together)
    assert many.runs == one.runs
    assert together == singly
    assert stock(many) == stock(Partition(1, one.runs))
    many.roll_back_many(POSITION, together)
    assert many.runs == begun
    assert not indexed or stock(many) == before


def test_the_limits_of_one_pass_are_below_what_is_drawn() -> None:
    """The test above draws more ranges and runs than are changed one by one."""
    assert SPLICED_MAX_RANGES < 150
    assert INDEXED_MAX_RUNS < 300


@given(one=points, other=points)
def test_ranges_are_merged_as_sets_of_units(one: set[int], other: set[int]) -> None:
    """What ranges have in common, and what is left of them without others, are the sets of their units."""
    left, right = tuple(parts_of(one)), tuple(parts_of(other))
    left += tuple(UnitRange(2, part.first, part.last) for part in right)
    right += tuple(UnitRange(2, part.first, part.last) for part in left if part.batch == 1)

    def units(found: Ranges) -> list[tuple[int, int]]:
        return [(part.batch, number) for part in found for number in range(part.first, part.last + 1)]

    both = sorted(set(units(left)) & set(units(right)))
    assert units(tuple(ranges.common(left, right))) == both
    assert units(tuple(ranges.common(right, left))) == both
    assert units(ranges.without(left, right)) == sorted(set(units(left)) - set(units(right)))
    assert ranges.covers(left, right) is (set(units(right)) <= set(units(left)))


@given(points=points, others=points)
def test_cases_of_many_ranges_are_packed_and_unpacked_at_once(points: set[int], others: set[int]) -> None:
    """What is packed stays sorted, and a case that is unpacked leaves the other one as it was."""
    state = Story(BOOK).state
    batch = state.batches[1]
    assert isinstance(batch, Batch)
    first = tuple(parts_of(points))
    second = ranges.without(tuple(parts_of(others)), first)
    cases: dict[str, Case | None] = {}
    for name, inside in (("one", first), ("two", second)):
        goods.pack(cases, {1: batch}, events.CasePacked(name, "acme", inside, ()))
    kept = sorted((part.first, part.last, "one") for part in first)
    assert batch.packed == sorted([*kept, *((part.first, part.last, "two") for part in second)])
    goods.unpack(cases, {1: batch}, ("two",))
    assert (batch.packed, cases["two"]) == (kept, None)
    goods.unpack(cases, {1: batch}, ("one",))
    assert batch.packed == []
