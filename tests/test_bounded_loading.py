"""A command loads a bounded number of runs, whatever it names, and is decided as with all runs of its batches."""

import datetime
from pathlib import Path

import pytest

from pathbook.ledger.book import Answer, Outcome, memory
from pathbook.ledger.books import Books
from pathbook.ledger.commands import Command, CommissionBatch, RecordTransfer, RegisterParty, ReturnUnits
from pathbook.ledger.events import TransferRecorded, UnitsReturned
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.rules import required_state
from pathbook.ledger.rules.budget import Budget
from pathbook.ledger.spans import FIRST_STOCK_RUNS
from pathbook.ledger.store.views import state_loader
from pathbook.ledger.values import PartyKind, Price, Quantity, Ranges, Selection, UnitRange
from tests.books import BEGINNING, ask, open_books, positions, update_views
from tests.scenario import CODE_KEY, MASK, NOON

BATCHES = 12
RUNS = 600
"""How many single units of each batch ann has. Those between them are acme's, so a batch has twice as many runs."""


def evens(batch: int, count: int) -> Ranges:
    """Return the first single units of a batch that ann has."""
    return tuple(UnitRange(batch, 2 * number, 2 * number) for number in range(count))


def moved(name: str, giver: str, receiver: str, units: Selection) -> RecordTransfer:
    """Return the command that records a transfer."""
    return RecordTransfer(
        request_id=name, giver=giver, receiver=receiver, units=units, unit_price=Price(1, "CNY")
    )


def onward(name: str, *quantities: Quantity) -> RecordTransfer:
    """Return the command that moves quantities of ann's stock onward."""
    return moved(name, "ann", "ben", Selection(quantities=quantities))


@pytest.fixture
def scattered(place: Path) -> Path:
    """Return the place of a book in which ann has every second unit of the first units of many batches."""
    ben = RegisterParty(request_id="ben", party="ben", kind=PartyKind.AGENT)
    others: list[Command] = [
        CommissionBatch(
            request_id=f"L{batch}",
            brand="acme",
            product=MASK,
            lot=f"L{batch}",
            size=10_000,
            made_on=datetime.date(2025, 12, 1),
            code_key=CODE_KEY,
        )
        for batch in range(2, BATCHES + 1)
    ]
    stocked = [
        moved(f"to ann {batch}", "acme", "ann", Selection(evens(batch, RUNS)))
        for batch in range(1, BATCHES + 1)
    ]
    with open_books(place) as opened:
        done = positions(ask(opened, *BEGINNING, ben, *others, *stocked))
    update_views(place, done[-1])
    return place


def answered(opened: Books, command: Command) -> tuple[Outcome, int]:
    """Return the outcome of a command, and how many runs the book has in memory after it."""
    (outcome,) = ask(opened, command)
    state = opened._books["masks"]._memory.state
    return outcome, sum(len(partition.runs) for partition in state.partitions.values())


def ranges_of(outcome: Outcome) -> Ranges:
    """Return the ranges that a transfer moved."""
    assert isinstance(outcome, Answer), outcome
    assert isinstance(outcome.recorded.event, TransferRecorded)
    return outcome.recorded.event.terms.ranges


def test_a_quantity_loads_in_proportion_to_what_it_takes(scattered: Path) -> None:
    """Of a batch, no more is loaded than some times the runs that are taken, and those of others not at all."""
    with open_books(scattered, follow=False) as opened:
        outcome, loaded = answered(opened, onward("few", Quantity(5, batch=1)))
        assert ranges_of(outcome) == evens(1, 5)
        assert loaded == FIRST_STOCK_RUNS
        outcome, loaded = answered(opened, onward("more", Quantity(300, batch=2)))
        assert ranges_of(outcome) == evens(2, 300)
        assert loaded <= FIRST_STOCK_RUNS + RUNS


def test_a_quantity_of_a_product_loads_the_batches_that_it_comes_to(scattered: Path) -> None:
    """A small quantity loads runs of one batch, a large one those that it takes, and too large a one all."""
    with open_books(scattered, follow=False) as opened:
        outcome, loaded = answered(opened, onward("few", Quantity(5, product=MASK)))
        assert ranges_of(outcome) == evens(1, 5)
        assert loaded == FIRST_STOCK_RUNS
        wanted = RUNS - 5 + RUNS + 10
        outcome, loaded = answered(opened, onward("many", Quantity(wanted, product=MASK)))
        assert ranges_of(outcome) == evens(1, RUNS)[5:] + evens(2, RUNS) + evens(3, 10)
        assert loaded <= 5 * RUNS
        outcome, _ = answered(opened, onward("all", Quantity(1_000_000, product=MASK)))
        assert isinstance(outcome, Refusal)
        assert dict(outcome.facts)["available"] == str((BATCHES - 2) * RUNS - 10)


def test_many_quantities_are_loaded_together(scattered: Path) -> None:
    """Quantities of all batches ask for what they lack at once, and take what they take of whole batches."""
    with open_books(scattered, follow=False) as opened:
        quantities = [Quantity(200, batch=batch) for batch in range(1, BATCHES + 1)]
        (outcome,) = ask(opened, onward("all", *quantities))
        expected = tuple(part for batch in range(1, BATCHES + 1) for part in evens(batch, 200))
        assert ranges_of(outcome) == expected


def test_a_return_of_a_quantity_loads_what_it_takes(scattered: Path) -> None:
    """The search for the transfers by which units came is bounded in the same way."""
    with open_books(scattered, follow=False) as opened:
        units = Selection(quantities=(Quantity(400, batch=1),))
        outcome, loaded = answered(opened, ReturnUnits(request_id="back", owner="ann", units=units))
        assert isinstance(outcome, Answer), outcome
        assert isinstance(outcome.recorded.event, UnitsReturned)
        assert outcome.recorded.event.lines[0].terms.ranges == evens(1, 400)
        assert loaded <= RUNS


def test_what_memory_holds_does_not_count_for_the_answer(scattered: Path) -> None:
    """A quantity spends as many steps with nothing loaded as with everything, besides those of loading."""
    with open_books(scattered, follow=False) as opened:
        positions(ask(opened, onward("wakes the book", Quantity(1, batch=2))))
        remembering = opened._books["masks"]._memory
        command, budgets = onward("q", Quantity(300, batch=1)), [Budget(), Budget()]
        remembering.preload([command])
        for budget in budgets:
            assert not isinstance(remembering.decide(command, NOON, budget), Refusal)
        assert budgets[0].spent == budgets[1].spent
        assert budgets[0].loading > 1_000
        assert budgets[1].loading == 0


@pytest.mark.parametrize("returning", [False, True])
def test_a_quantity_that_must_load_too_much_is_refused(
    scattered: Path, monkeypatch: pytest.MonkeyPatch, *, returning: bool
) -> None:
    """It is refused by name, and what was loaded stays. So it is accepted after some more requests."""
    monkeypatch.setattr(memory, "LOADING_STEPS_MAX", 1_000)
    monkeypatch.setattr(memory, "GROUP_LOADS_MAX", 1)
    units = Selection(quantities=(Quantity(500, batch=1),))
    back = ReturnUnits(request_id="q", owner="ann", units=units)
    command = back if returning else moved("q", "ann", "ben", units)
    with open_books(scattered, follow=False) as opened:
        outcome, loaded = answered(opened, command)
        assert isinstance(outcome, Refusal)
        assert outcome.reason is Reason.TOO_MUCH_WORK
        assert dict(outcome.facts) == {"part": "its quantities", "limit": "1000"}
        assert loaded < RUNS
        tries = 0
        while isinstance(outcome, Refusal):
            outcome, _ = answered(opened, command)
            tries += 1
            assert tries < 5


def test_a_range_of_very_many_runs_is_refused_before_all_are_loaded(
    scattered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are loaded some at once, until the range is known to have more than a request may look at."""
    monkeypatch.setattr(state_loader, "RUNS_AT_ONCE_MAX", 100)
    command = moved("r", "acme", "ben", Selection((UnitRange(1, 0, 2 * RUNS),)))
    with open_books(scattered, follow=False) as opened:
        monkeypatch.setattr(required_state, "MAX_STEPS", 900)
        outcome, loaded = answered(opened, command)
        assert isinstance(outcome, Refusal)
        assert outcome.reason is Reason.TOO_MUCH_WORK
        assert dict(outcome.facts)["part"] == "the runs in which its units lie"
        assert 400 <= loaded <= 600
        monkeypatch.undo()
        outcome, loaded = answered(opened, command)
        assert isinstance(outcome, Refusal)
        assert outcome.reason is Reason.UNITS_NOT_OWNED
        assert loaded == 2 * RUNS
