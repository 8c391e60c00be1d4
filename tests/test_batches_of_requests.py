"""All-or-nothing batches: recorded like single requests if none is refused, and without effect otherwise."""

import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.book import Answer, Outcome
from pathbook.ledger.books import Books
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import Selection, UnitRange
from tests.books import BEGINNING, PATIENCE, Clock, PausableClock, ask, engine, open_books, positions, record
from tests.examples import examples
from tests.rules import test_rolling_back
from tests.rules.test_rolling_back import movements
from tests.scenario import NOON, Story


def submit_batch(opened: Books, *commands: Command | Refusal) -> list[Outcome]:
    """Submit commands as an all-or-nothing batch."""
    return opened.submit("masks", commands, all_or_nothing=True).result(PATIENCE)


def summarize(outcomes: list[Outcome]) -> list[int | Reason]:
    """Return the position or the reason of each outcome."""
    return [item.reason if isinstance(item, Refusal) else item.recorded.position for item in outcomes]


def head(place: Path) -> int:
    """Return the last position in the log."""
    events = engine(place, "events")
    found = Stream(events).head("masks")
    events.dispose()
    return found


def units(name: str, first: int, last: int) -> Command:
    """Return a transfer of named units from acme to ann."""
    return msgspec.structs.replace(record(name), units=Selection((UnitRange(1, first, last),)))


def test_a_batch_in_which_nothing_is_refused_is_recorded(place: Path) -> None:
    """Each entry gets a position of its own, and the same position when the batch is repeated."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        assert summarize(submit_batch(opened, record("a"), record("b"), record("c"))) == [6, 7, 8]
        again = submit_batch(opened, record("a"), record("b"), record("c"))
        assert summarize(again) == [6, 7, 8]
        assert all(isinstance(item, Answer) and item.duplicate for item in again)
    assert head(place) == 8


def test_a_batch_in_which_one_is_refused_is_not_recorded(place: Path) -> None:
    """Refused entries give their reason, the others name the first refused entry, and the log does not change."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        too_many, unreadable = record("c", 10_000_001), refuse(Reason.VALUE_MISSING, field="entry")
        outcomes = submit_batch(opened, record("a"), record("b"), too_many, record("d"), unreadable)
        other = refuse(Reason.OTHER_ENTRY_REFUSED, entry=3)
        assert [outcomes[0], outcomes[1], outcomes[3]] == [other, other, other]
        assert summarize(outcomes[2:3]) == [Reason.STOCK_TOO_SMALL]
        assert outcomes[4] == unreadable
        assert opened._books["masks"]._memory.reload_count == 1
        assert head(place) == len(BEGINNING)
        # The batch used up neither the units nor the request id.
        assert positions(ask(opened, units("a", 0, 9))) == [6]
    with open_books(place) as opened:
        assert positions(ask(opened, record("b"))) == [7]


def test_what_was_recorded_before_stays_recorded(place: Path) -> None:
    """In a refused batch, only a repeat of an earlier request gets its first answer."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, record("before"))
        outcomes = submit_batch(opened, record("before"), record("a"), record("a"), record("b", 10_000_001))
        other = Reason.OTHER_ENTRY_REFUSED
        assert summarize(outcomes) == [6, other, other, Reason.STOCK_TOO_SMALL]
        assert positions(submit_batch(opened, record("before"), record("a"), record("a"))) == [6, 7, 7]


def test_a_refused_batch_does_not_affect_other_submissions(place: Path) -> None:
    """All waiting submissions are committed together, except the batch that is refused."""
    clock = PausableClock()
    with open_books(place, clock) as opened:
        ask(opened, *BEGINNING)
        clock.running.clear()
        waiting = [
            opened.submit("masks", [record("first")]),  # while it waits for the clock, the others queue
            opened.submit("masks", [units("a", 100, 109), record("b")]),
            opened.submit("masks", [units("c", 50, 59), units("d", 105, 106)], all_or_nothing=True),
            opened.submit("masks", [units("e", 50, 51), record("f", 10_000_001), record("a")]),
            opened.submit("masks", [units("g", 52, 53), record("h")], all_or_nothing=True),
        ]
        clock.running.set()
        outcomes = [summarize(future.result(PATIENCE)) for future in waiting]
        assert outcomes == [
            [6],
            [7, 8],
            [Reason.OTHER_ENTRY_REFUSED, Reason.UNITS_NOT_OWNED],
            [9, Reason.STOCK_TOO_SMALL, Reason.REQUEST_ID_REUSED],
            [10, 11],
        ]
        assert opened._books["masks"]._memory.reload_count == 1
    assert head(place) == 11


def test_a_batch_for_an_unknown_book_keeps_the_refusals_of_unreadable_entries(place: Path) -> None:
    """An unreadable entry keeps its own refusal, and the others are refused because the book is unknown."""
    unreadable = refuse(Reason.VALUE_MISSING, field="entry")
    with open_books(place) as opened:
        outcomes = submit_batch(opened, unreadable, record("a"))
        assert summarize(outcomes) == [Reason.VALUE_MISSING, Reason.BOOK_UNKNOWN]


@settings(max_examples=examples(10, 25))
@given(batches=st.lists(movements(), min_size=1, max_size=6))
def test_a_batch_equals_single_requests_or_has_no_effect(batches: list[list[Command]]) -> None:
    """A batch has the events that the rules give on complete state, or their refusals and no event."""
    story = Story(test_rolling_back.BEGINNING, "masks")
    with tempfile.TemporaryDirectory() as directory, open_books(Path(directory), Clock(NOON)) as opened:
        positions(ask(opened, *(command for command, _ in story.commands)))
        for number, batch in enumerate(batches):
            commands = [
                msgspec.structs.replace(command, request_id=f"{number}-{entry}")
                for entry, command in enumerate(batch)
            ]
            trial = story.again()
            expected = [trial.ask(command) for command in commands]
            refused = [entry for entry, item in enumerate(expected, 1) if isinstance(item, Refusal)]
            if refused:
                other = refuse(Reason.OTHER_ENTRY_REFUSED, entry=refused[0])
                expected = [item if isinstance(item, Refusal) else other for item in expected]
            else:
                story = trial
            found = [
                item if isinstance(item, Refusal) else item.recorded.event
                for item in submit_batch(opened, *commands)
            ]
            assert found == expected
        assert head(Path(directory)) == story.state.position
