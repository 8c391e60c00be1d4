"""Seals: which positions may be sealed, and what a book remembers of its last seal."""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from pathbook.ledger.book import Outcome
from pathbook.ledger.commands import Seal
from pathbook.ledger.events import Sealed
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State
from pathbook.ledger.values import WRITER_PREFIX
from tests.books import BEGINNING, ask, open_books, positions, record, update_views
from tests.scenario import NOON, Story

ROOT: Final = bytes(range(32))


def seal(covers: int, root: bytes = ROOT) -> Seal:
    """Return the command that seals a book up to a position."""
    return Seal(
        request_id=f"{WRITER_PREFIX}seal/{covers}",
        covers=covers,
        covers_recorded_at=NOON,
        batches=1,
        parties=2,
        root=root,
    )


def state_at(position: int, last_covers: int = 0) -> State:
    """Return the state of a book at a position, sealed so far."""
    state = State("masks", position)
    state.last_covers = last_covers
    return state


def reason(outcome: object) -> Reason:
    """Return the reason of a refusal."""
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason


def test_a_seal_covers_a_position_that_the_book_has_reached() -> None:
    """The event has what the command says. A later position is refused."""
    assert decide(state_at(5), seal(5), NOON) == Sealed(5, NOON, 1, 2, ROOT)
    assert reason(decide(state_at(5), seal(6), NOON)) is Reason.SEALED_TOO_FAR


def test_a_seal_covers_more_than_the_last_one() -> None:
    """A position that is sealed stays sealed with its root. No seal of it or of one before it follows."""
    sealed = state_at(9, last_covers=5)
    assert decide(sealed, seal(6), NOON) == Sealed(6, NOON, 1, 2, ROOT)
    assert reason(decide(sealed, seal(5, bytes(32)), NOON)) is Reason.ALREADY_SEALED
    assert reason(decide(sealed, seal(4), NOON)) is Reason.ALREADY_SEALED


def test_a_seal_follows_the_seal_that_its_sealer_knows() -> None:
    """Two sealers that both know the same last seal add one seal, not two."""
    sealed = state_at(9, last_covers=5)
    assert isinstance(decide(sealed, replace(seal(6), after=5), NOON), Sealed)
    assert reason(decide(sealed, replace(seal(6), after=4), NOON)) is Reason.ALREADY_SEALED
    assert reason(decide(sealed, replace(seal(6), after=0), NOON)) is Reason.ALREADY_SEALED


def test_a_seal_changes_nothing_but_what_is_sealed() -> None:
    """The state remembers the position that is covered. No run changes."""
    story = Story("brand acme")
    story.ask(seal(1))
    assert story.state.last_covers == 1
    assert isinstance(story.ask(seal(3)), Sealed)  # the seal itself may be covered, too
    assert story.state.last_covers == 3


def test_a_reopened_book_remembers_its_last_seal(place: Path) -> None:
    """Many seals may come in one group. A book that is opened again refuses what contradicts it."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        assert positions(ask(opened, seal(2), record("r"), seal(4), seal(8))) == [6, 7, 8, 9]
    update_views(place, 9)
    with open_books(place) as opened:
        outcomes: list[Outcome] = ask(opened, seal(7), seal(10), seal(8), seal(8, bytes(32)), seal(9))
        assert list(map(reason, outcomes[:2])) == [Reason.ALREADY_SEALED, Reason.SEALED_TOO_FAR]
        assert positions([outcomes[2]]) == [9]  # it was answered already
        assert reason(outcomes[3]) is Reason.REQUEST_ID_REUSED
        assert positions([outcomes[4]]) == [10]
