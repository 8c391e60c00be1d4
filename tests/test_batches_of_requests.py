"""Requests that are recorded all or not at all: as each on its own where none is refused, else as if never asked."""

import copy
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
from tests.books import BEGINNING, PATIENCE, Clock, HeldClock, ask, engine, library, positions, record
from tests.rules import test_taking_back
from tests.rules.test_taking_back import movements
from tests.scenario import NOON, Story


def whole(opened: Books, *commands: Command | Refusal) -> list[Outcome]:
    """Submit commands to be recorded all or not at all."""
    return opened.submit("masks", commands, all_or_nothing=True).result(PATIENCE)


def told(outcomes: list[Outcome]) -> list[int | Reason]:
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
    """Every entry has a position of its own, and again the same one when it is sent again."""
    with library(place) as opened:
        ask(opened, *BEGINNING)
        assert told(whole(opened, record("a"), record("b"), record("c"))) == [5, 6, 7]
        again = whole(opened, record("a"), record("b"), record("c"))
        assert told(again) == [5, 6, 7]
        assert all(isinstance(item, Answer) and item.duplicate for item in again)
    assert head(place) == 7


def test_a_batch_in_which_one_is_refused_is_not_recorded(place: Path) -> None:
    """The refused ones say why, the others which was the first of them, and the log stands where it stood."""
    with library(place) as opened:
        ask(opened, *BEGINNING)
        too_many, unread = record("c", 10_000_001), refuse(Reason.VALUE_MISSING, field="entry")
        outcomes = whole(opened, record("a"), record("b"), too_many, record("d"), unread)
        other = refuse(Reason.OTHER_ENTRY_REFUSED, entry=3)
        assert [outcomes[0], outcomes[1], outcomes[3]] == [other, other, other]
        assert told(outcomes[2:3]) == [Reason.STOCK_TOO_SMALL]
        assert outcomes[4] == unread
        assert opened._books["masks"]._memory.reload_count == 1
        assert head(place) == 4
        assert positions(ask(opened, units("a", 0, 9))) == [5]  # neither the units nor the id were taken
    with library(place) as opened:
        assert positions(ask(opened, record("b"))) == [6]


def test_what_was_recorded_before_stays_recorded(place: Path) -> None:
    """A duplicate is told its first answer also where the batch is refused, but for one of the batch itself."""
    with library(place) as opened:
        ask(opened, *BEGINNING, record("before"))
        outcomes = whole(opened, record("before"), record("a"), record("a"), record("b", 10_000_001))
        other = Reason.OTHER_ENTRY_REFUSED
        assert told(outcomes) == [5, other, other, Reason.STOCK_TOO_SMALL]
        assert positions(whole(opened, record("before"), record("a"), record("a"))) == [5, 6, 6]


def test_a_refused_batch_does_not_take_its_neighbours_with_it(place: Path) -> None:
    """What waits together is committed together, but for the batch that is refused."""
    clock = HeldClock()
    with library(place, clock) as opened:
        ask(opened, *BEGINNING)
        clock.goes.clear()
        waiting = [
            opened.submit("masks", [record("first")]),  # while it waits for the clock, the others gather
            opened.submit("masks", [units("a", 100, 109), record("b")]),
            opened.submit("masks", [units("c", 50, 59), units("d", 105, 106)], all_or_nothing=True),
            opened.submit("masks", [units("e", 50, 51), record("f", 10_000_001), record("a")]),
            opened.submit("masks", [units("g", 52, 53), record("h")], all_or_nothing=True),
        ]
        clock.goes.set()
        outcomes = [told(future.result(PATIENCE)) for future in waiting]
        assert outcomes == [
            [5],
            [6, 7],
            [Reason.OTHER_ENTRY_REFUSED, Reason.UNITS_NOT_OWNED],
            [8, Reason.STOCK_TOO_SMALL, Reason.REQUEST_ID_REUSED],
            [9, 10],
        ]
        assert opened._books["masks"]._memory.reload_count == 1
    assert head(place) == 10


def test_a_batch_for_no_book_keeps_what_could_not_be_read(place: Path) -> None:
    """Entries that could not be read say so, the others that there is no such book."""
    unread = refuse(Reason.VALUE_MISSING, field="entry")
    with library(place) as opened:
        assert told(whole(opened, unread, record("a"))) == [Reason.VALUE_MISSING, Reason.BOOK_UNKNOWN]


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(movements(), min_size=1, max_size=6))
def test_a_batch_is_as_each_on_its_own_or_as_nothing(batches: list[list[Command]]) -> None:
    """Rules on whole memory agree: the same events where none is refused, else the same refusals and no event."""
    story = Story(test_taking_back.BEGINNING)
    with tempfile.TemporaryDirectory() as directory, library(Path(directory), Clock(NOON)) as opened:
        positions(ask(opened, *(command for command, _ in story.asked)))
        for number, batch in enumerate(batches):
            commands = [
                msgspec.structs.replace(command, request_id=f"{number}-{entry}")
                for entry, command in enumerate(batch)
            ]
            trial = copy.deepcopy(story)
            expected = [trial.ask(command) for command in commands]
            refused = [entry for entry, item in enumerate(expected, 1) if isinstance(item, Refusal)]
            if refused:
                other = refuse(Reason.OTHER_ENTRY_REFUSED, entry=refused[0])
                expected = [item if isinstance(item, Refusal) else other for item in expected]
            else:
                story = trial
            found = [
                item if isinstance(item, Refusal) else item.recorded.event
                for item in whole(opened, *commands)
            ]
            assert found == expected
        assert head(Path(directory)) == story.state.position
