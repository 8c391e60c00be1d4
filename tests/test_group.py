"""Groups of a writer: a costly submission is divided between groups, and others do not wait for the rest of it."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.book import Outcome, group, writer
from pathbook.ledger.book.group import Waiting
from pathbook.ledger.book.submissions import Submission, Submitted
from pathbook.ledger.books import Books
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.values import Quantity, Selection
from tests.books import BEGINNING, PATIENCE, PausableClock, ask, open_books, positions, record

FEW = 3
"""How many commands a group decides in these tests, besides those that it must."""

ONE = group.COMMAND_STEPS + 12
"""About as many steps as a transfer of one run counts."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> PausableClock:
    """Return a clock on which the writer waits, and let groups end after a few commands."""
    for room in (group, writer):
        monkeypatch.setattr(room, "GROUP_STEPS_MAX", FEW * ONE)
    return PausableClock()


@pytest.fixture
def opened(place: Path, clock: PausableClock) -> Iterator[Books]:
    """Return open books, whose writer waits for the clock with its next group."""
    with open_books(place, clock) as books:
        ask(books, *BEGINNING)
        yield books


def submit(opened: Books, lane: str, count: int, *, whole: bool = False) -> Future[list[Outcome]]:
    """Submit transfers in a lane."""
    names = [f"{lane}{number}" for number in range(count)]
    return opened.submit("masks", [record(name) for name in names], all_or_nothing=whole, lane=lane[0])


def stop(clock: PausableClock) -> int:
    """Let the writer wait with its next group, and return how often it has read the clock."""
    clock.running.clear()
    return clock.reads


def wait_for_writer(clock: PausableClock, before: int) -> None:
    """Wait until the writer has taken a group, and reads the clock."""
    until = time.monotonic() + PATIENCE
    while clock.reads == before:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_small_submission_goes_before_the_rest_of_a_big_one(opened: Books, clock: PausableClock) -> None:
    """The bulk is divided: a caller that comes after its first commands is answered before its last ones."""
    first = len(BEGINNING) + 1
    before = stop(clock)
    bulk = submit(opened, "bulk", 30)
    wait_for_writer(clock, before)
    small = submit(opened, "small", 1)
    clock.running.set()
    (position,) = positions(small.result(PATIENCE))
    assert first < position <= first + FEW + 1
    found = positions(bulk.result(PATIENCE))
    assert found == [number for number in range(first, first + 31) if number != position]


def test_submissions_of_a_lane_stay_in_their_order(opened: Books, clock: PausableClock) -> None:
    """A small submission of the same lane waits for the rest of the big one, and one of another lane does not."""
    before = stop(clock)
    bulk = submit(opened, "bulk", 30)
    wait_for_writer(clock, before)
    after, other = submit(opened, "b-after", 1), submit(opened, "other", 1)
    clock.running.set()
    assert positions(after.result(PATIENCE)) > [max(positions(bulk.result(PATIENCE)))]
    assert positions(other.result(PATIENCE)) < [max(positions(bulk.result(PATIENCE)))]


def test_bulks_of_several_lanes_take_turns(opened: Books, clock: PausableClock) -> None:
    """Two callers that send much advance side by side."""
    stop(clock)
    waiting = [submit(opened, lane, 30) for lane in ("a", "b")]
    clock.running.set()
    one, two = (positions(future.result(PATIENCE)) for future in waiting)
    assert min(two) < max(one)
    assert min(one) < max(two)
    assert sorted(one + two) == list(range(len(BEGINNING) + 1, len(BEGINNING) + 61))
    assert one == sorted(one)
    assert two == sorted(two)


def test_a_submission_of_all_or_nothing_is_never_divided(opened: Books, clock: PausableClock) -> None:
    """Its events have positions without a gap, also if other callers wait."""
    before = stop(clock)
    whole = submit(opened, "whole", 30, whole=True)
    wait_for_writer(clock, before)
    small = submit(opened, "small", 1)
    clock.running.set()
    found = positions(whole.result(PATIENCE))
    assert found == list(range(found[0], found[0] + 30))
    assert positions(small.result(PATIENCE)) == [found[-1] + 1]


def test_a_submission_of_all_or_nothing_has_the_budget_of_one_command(
    opened: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its commands together take too many steps, it is refused by name, and nothing is recorded."""
    monkeypatch.setattr(writer, "MAX_STEPS", 150)
    first = len(BEGINNING) + 1
    assert positions(submit(opened, "few", 5, whole=True).result(PATIENCE)) == list(range(first, first + 5))
    outcomes = submit(opened, "many", 30, whole=True).result(PATIENCE)
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)]
    accepted = reasons.index(Reason.TOO_MUCH_WORK)
    assert reasons == [Reason.OTHER_ENTRY_REFUSED] * accepted + [Reason.TOO_MUCH_WORK] * (30 - accepted)
    assert 5 <= accepted < 15
    assert positions(submit(opened, "single", 30).result(PATIENCE)) == list(range(first + 5, first + 35))


def test_a_refused_command_counts_as_well(opened: Books, clock: PausableClock) -> None:
    """A stream of refused commands does not hold the writer either."""
    wanted = Selection(quantities=(Quantity(10_000_001, batch=1),))
    refused = [msgspec.structs.replace(record(f"r{number}"), units=wanted) for number in range(30)]
    before = stop(clock)
    bulk = opened.submit("masks", [*refused, record("last")], lane="bulk")
    wait_for_writer(clock, before)
    small = submit(opened, "small", 1)
    clock.running.set()
    assert positions(small.result(PATIENCE)) == [len(BEGINNING) + 1]
    outcomes = bulk.result(PATIENCE)
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)] == [
        Reason.STOCK_TOO_SMALL
    ] * 30
    assert positions(outcomes[30:]) == [len(BEGINNING) + 2]


def waiting_for(*sizes: tuple[str, int]) -> tuple[Waiting, list[Submission]]:
    """Return submissions of so many commands in lanes, which wait."""
    found = [Submission([record("x")] * size, lane, Future()) for lane, size in sizes]
    waiting = Waiting()
    for submission in found:
        waiting.add(submission)
    return waiting, found


def test_a_group_takes_small_submissions_first_and_leaves_room_for_large_ones() -> None:
    """Small ones fill half of a group at most, if a large one waits. The first of each kind is always taken."""
    smalls = [(f"s{number}", 10) for number in range(120)]
    waiting, found = waiting_for(("big", 700), *smalls, ("bigger", 900))
    group_ = waiting.take()
    assert group_ == [*found[1:51], found[0]]
    assert waiting.take() == [*found[51:101], found[-1]]
    assert waiting.take() == found[101:121]
    assert not waiting


def test_small_submissions_share_every_other_group_with_a_divided_one() -> None:
    """Small ones are not answered later because of a costly one, which still has its turn."""
    waiting, (big,) = waiting_for(("big", 20))
    assert waiting.take() == [big]
    assert not big.add([Refusal(Reason.NO_UNITS)])
    waiting.put_back([big])
    smalls = [Submission([record("s")], number, Future()) for number in range(3)]
    for small, shares in zip(smalls, (False, True, False), strict=True):
        waiting.add(small)
        group_ = waiting.take()
        assert group_ == ([small, big] if shares else [small])
        waiting.put_back(group_[1:])
    assert waiting.take() == [big]


def test_what_was_not_decided_keeps_its_place() -> None:
    """A submission that was begun goes behind other lanes, and one that was not goes on before them."""
    waiting, (one, two, three) = waiting_for(("a", 600), ("b", 600), ("c", 600))
    assert waiting.take() == [one, two]
    waiting.put_back([one, two])
    assert waiting.take() == [one, two]
    assert not one.add([Refusal(Reason.NO_UNITS)])
    assert not two.add([])
    assert [len(one.next_commands()), len(two.next_commands())] == [3, 600]
    waiting.put_back([one, two])
    assert waiting.take() == [two, three]
    assert waiting.take() == [one]


def test_a_submission_that_was_divided_is_taken_in_larger_and_larger_parts() -> None:
    """After a part that was decided whole, the next one is twice as large. What was not begun is taken whole."""
    _, (bulk,) = waiting_for(("bulk", 500))
    assert not bulk.add([])
    assert len(bulk.next_commands()) == 500
    assert not bulk.add([Refusal(Reason.NO_UNITS)] * 10)
    parts = []
    while not bulk.add([Refusal(Reason.NO_UNITS)] * len(bulk.next_commands())):
        parts.append(len(bulk.next_commands()))
    assert parts == [42, 84, 168, 175]


@given(st.data())
def test_commands_of_a_lane_are_decided_in_their_order(data: st.DataObject) -> None:
    """However groups end, fail and divide submissions, no command is decided before an earlier one of its lane."""
    sizes = data.draw(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), min_size=1, max_size=12)
    )
    numbers = dict.fromkeys("abc", 0)
    waiting, decided = Waiting(), {lane: list[Submitted]() for lane in "abc"}
    submitted = {lane: list[Submitted]() for lane in "abc"}
    arriving = []
    for lane, size in sizes:
        commands = [record(f"{lane}{numbers[lane] + number}") for number in range(size)]
        numbers[lane] += size
        submitted[lane] += commands
        arriving.append(Submission(commands, lane, Future()))
    groups = 0
    while arriving or waiting:
        for _ in range(data.draw(st.integers(0 if waiting else 1, max(1, len(arriving))))):
            if arriving:
                waiting.add(arriving.pop(0))
        group_ = waiting.take()
        groups += 1
        if len(group_) > 1 and data.draw(st.booleans()):
            waiting.put_back_alone(group_)
            continue
        ended: set[object] = set()
        unfinished = []
        for place, submission in enumerate(group_):
            following = submission.next_commands()
            count = 0
            if submission.lane not in ended:
                count = data.draw(st.integers(0 if place else 1, len(following)))
            if count < len(following):
                ended.add(submission.lane)
            decided[str(submission.lane)] += following[:count]
            if not submission.add([Refusal(Reason.NO_UNITS)] * count):
                unfinished.append(submission)
        waiting.put_back(unfinished)
        assert groups < 2_000
    assert decided == submitted
