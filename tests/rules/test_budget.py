"""The budget of a command: the steps that the rules count grow with what a command touches, and are limited.

No clock is read. What the steps are compared with is counted naively, over everything that a request could touch. A
second test compares them with the lines of code that run, so that no loop is left out of the count.
"""

from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger import commands, compiled, events
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.rules import deciding
from pathbook.ledger.rules.budget import Budget
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.goods import Case
from pathbook.ledger.rules.required_state import required_state
from pathbook.ledger.values import (
    MAX_QUANTITIES,
    MAX_RANGES,
    MAX_STEPS,
    Quantity,
    Selection,
    UnitRange,
)
from tests.examples import examples
from tests.lines_run import lines_run
from tests.rules.hostile import done, hostile_book, moved, requests, singles, sscc, touched
from tests.scenario import DAY, NOON, Story

STEPS_PER_THING: Final = 10
"""How many steps may be spent on each thing that is touched."""

LINES_PER_STEP: Final = 40
"""How many lines of code may run in a step."""

BOOK: Final = """
brand acme
agent ben
product mask 300 CNY of acme
batch L of mask size {size} made 2025-12-01 by acme
"""


@pytest.mark.skipif(compiled.kind() == "compiled", reason="The lines of compiled modules cannot be counted.")
@settings(max_examples=examples(25, 150), deadline=None)
@given(command=requests(), limited=st.booleans())
def test_steps_are_linear_in_what_is_touched(command: Command, limited: bool) -> None:
    """However a request is made, it spends at most a few steps on each thing that it could touch."""
    state = hostile_book().state
    budget = Budget(MAX_STEPS) if limited else Budget()
    event = decide(state, command, NOON, budget)
    assert budget.spent <= STEPS_PER_THING * touched(state, command, event) + 30, (
        str(event)[:200],
        budget.spent,
    )
    if isinstance(event, Refusal) and event.reason is Reason.TOO_MUCH_WORK:
        assert budget.spent > MAX_STEPS
    else:
        assert budget.spent <= budget.limit


@settings(max_examples=examples(25, 150), deadline=None)
@given(command=requests())
def test_every_loop_counts_its_steps(command: Command) -> None:
    """The lines that run are at most some for each step, so no loop is left out."""
    state = hostile_book().state
    budget = Budget(MAX_STEPS)
    rooms = Path(deciding.__file__).parents[1]
    counted = [*rooms.glob("rules/*.py"), *(rooms / name for name in ("ranges.py", "run.py", "runs.py"))]
    count = lines_run(lambda: decide(state, command, NOON, budget), counted)
    assert count <= LINES_PER_STEP * (budget.spent + 10), (count, budget.spent)


def pieces_book(size: int) -> Story:
    """Return a book whose batch 1 lies in single-unit pieces, all of them in stock of acme."""
    story = Story(BOOK.format(size=size))
    for begin in range(0, size, 2 * MAX_RANGES):
        ranges = singles(1, begin, min(MAX_RANGES, (size - begin) // 2))
        done(story, moved(story, "acme", "ben", Selection(ranges)))
        done(story, moved(story, "ben", "acme", Selection(ranges)))
    assert len(story.state.partitions[1].runs) == size
    return story


def quantities(story: Story, count: int) -> Command:
    """Return the request of some 735 bytes that kept a writer busy for nine minutes: 100 quantities of one batch."""
    return moved(story, "acme", "ben", Selection(quantities=(Quantity(count, batch=1),) * MAX_QUANTITIES))


def test_a_hundred_quantities_of_single_units_are_taken_at_once() -> None:
    """Quantities go on where the one before stopped, so each run is looked at once."""
    story = pieces_book(8_000)
    budget = Budget(MAX_STEPS)
    event = decide(story.state, quantities(story, 79), NOON, budget)
    assert isinstance(event, events.TransferRecorded)
    assert event.terms.ranges == (UnitRange(1, 0, 7_899),)
    assert budget.spent <= 10 * 7_900


def test_what_a_party_sells_of_other_brands_costs_its_transfers_nothing() -> None:
    """A wholesaler of 300 brands is authorized as soon as one of two brands is."""

    def steps(brands: int) -> int:
        lines = [f"brand b{number}\nauthorize ben tier 1 by b{number}" for number in range(brands)]
        story = Story(BOOK.format(size=9) + "\n".join(["agent cat", "authorize ben tier 1 by acme", *lines]))
        story.tell("authorize cat tier 2 by ben")
        done(story, moved(story, "acme", "ben", Selection(singles(1, 0, 1))))
        budget = Budget(MAX_STEPS)
        event = decide(story.state, moved(story, "ben", "cat", Selection(singles(1, 0, 1))), NOON, budget)
        assert isinstance(event, events.TransferRecorded)
        authority = event.terms.authority(1)
        assert (authority.giver_tier, authority.receiver_tier) == (1, 2)
        return budget.spent

    assert steps(300) == steps(1)


def test_a_hundred_quantities_of_very_many_single_units_are_refused_by_name() -> None:
    """More runs than a request may touch are refused after as many steps, and the refusal says what to do."""
    story = pieces_book(100_000)
    budget = Budget(MAX_STEPS)
    refusal = decide(story.state, quantities(story, 999), NOON, budget)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, dict(refusal.facts)) == (
        Reason.TOO_MUCH_WORK,
        {"part": "its quantities", "limit": str(MAX_STEPS)},
    )
    assert "name ranges instead of quantities" in str(refusal)
    assert MAX_STEPS < budget.spent <= MAX_STEPS + 10


def test_a_stock_that_is_too_small_says_so_within_the_budget() -> None:
    """If what a quantity passes over is more than the budget allows to count, the refusal says at least how many."""
    story = pieces_book(20_000)
    wanted = moved(story, "ben", "acme", Selection(quantities=(Quantity(1, batch=1),)))
    budget = Budget(10_000)
    refusal = decide(story.state, wanted, NOON, budget)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.STOCK_TOO_SMALL
    assert dict(refusal.facts)["reserved"] == "at least 0"
    assert budget.spent <= 10_000
    whole = decide(story.state, wanted, NOON, Budget(30_000))
    assert isinstance(whole, Refusal)
    assert dict(whole.facts)["reserved"] == "0"


def test_a_budget_ends_at_its_number() -> None:
    """A command that takes exactly as many steps as it may is accepted, and with one less it is refused."""
    story = pieces_book(200)
    command = quantities(story, 1)
    budget = Budget()
    assert not isinstance(decide(story.state, command, NOON, budget), Refusal)
    assert not isinstance(decide(story.state, command, NOON, Budget(budget.spent)), Refusal)
    refusal = decide(story.state, command, NOON, Budget(budget.spent - 1))
    assert isinstance(refusal, Refusal)
    assert dict(refusal.facts) == {
        "part": "the runs in which its units lie",
        "limit": str(budget.spent - 1),
    }
    assert story.state.budget == Budget()


def test_a_request_may_name_as_many_ranges_as_ever() -> None:
    """4,000 ranges of one unit each are within the budget, and so are 4,000 cases."""
    story = pieces_book(2 * MAX_RANGES)
    done(story, moved(story, "acme", "ben", Selection(singles(1, 0, MAX_RANGES))))
    budget = Budget(MAX_STEPS)
    again = moved(story, "ben", "acme", Selection(singles(1, 0, MAX_RANGES)))
    assert not isinstance(decide(story.state, again, NOON, budget), Refusal)
    assert budget.spent <= MAX_STEPS // 1.5
    for number in range(MAX_RANGES):
        loose = Selection((UnitRange(1, 2 * number + 1, 2 * number + 1),))
        packed = commands.PackCase(request_id=story.request(), party="acme", sscc=sscc(number), units=loose)
        done(story, packed)
    cases = moved(story, "acme", "ben", Selection(cases=tuple(sscc(number) for number in range(MAX_RANGES))))
    assert not required_state(story.state, [cases]).refusals
    assert not isinstance(decide(story.state, cases, NOON), Refusal)


def test_a_long_chain_costs_no_more_than_a_short_one() -> None:
    """A unit that was passed on very often costs as many steps as one that was not, because no chain is copied."""
    story = Story(BOOK.format(size=9))
    spent = []
    for _ in range(200):
        budget = Budget()
        for giver, receiver in (("acme", "ben"), ("ben", "acme")):
            command = moved(story, giver, receiver, Selection((UnitRange(1, 0, 0),)))
            decide(story.state, command, NOON, budget)
            done(story, command)
        spent.append(budget.spent)
    assert spent[-1] == spent[1]


def test_cases_are_not_loaded_beyond_what_may_be_looked_at() -> None:
    """A request that names one case is refused before more of its contents are loaded than deciding may look at."""
    story = Story(BOOK.format(size=90))
    command = moved(story, "acme", "ben", Selection(cases=(sscc(0),)))
    for count in (100, 20_000):
        names = {sscc(number) for number in range(1, count + 1)}
        story.state.cases[sscc(0)] = Case((), tuple(names), "acme")
        required = required_state(story.state, [command])
        if count == 100:
            assert (required.cases, required.refusals) == (names, [])
        else:
            assert [refusal.reason for refusal in required.refusals] == [Reason.TOO_MUCH_WORK]
            assert len(required.cases) <= MAX_STEPS / 5


def test_a_party_with_very_many_authorizations_is_refused_by_name() -> None:
    """Walking up lines of authorizations spends steps, too."""
    story = Story(BOOK.format(size=9) + "agent ann")
    for _ in range(60):
        given_now = commands.AuthorizeParty(
            request_id=story.request(), upline="acme", party="ann", tier=1, valid_until=NOON + DAY
        )
        done(story, given_now)
    done(story, moved(story, "acme", "ann", Selection((UnitRange(1, 0, 3),))))
    late = msgspec.structs.replace(
        moved(story, "ann", "ben", Selection((UnitRange(1, 0, 0),))), occurred_at=NOON - 1
    )
    refusal = decide(story.state, late, NOON, Budget(60))
    assert isinstance(refusal, Refusal)
    assert dict(refusal.facts)["part"] == "the authorizations of its parties"
