"""The verbs of the clock: they show whether it is believed, and confirm it."""

import datetime
import json
from pathlib import Path

import pytest

from pathbook.ledger.store.log.clock_looks import ClockLooks, Look
from pathbook.services.clock import now
from tests.books import engine
from tests.cli.conftest import pathbook

YEAR = 365 * 86_400_000_000


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A directory with an open book, which was last looked at ten years ago, as far as the clock says."""
    assert pathbook("--data", str(tmp_path), "book", "open", "masks").code == 0
    know(tmp_path, now() - 10 * YEAR)
    return str(tmp_path)


def know(place: Path, wall: int) -> None:
    """Let the database know only a look of another boot at this time."""
    events = engine(place, "events")
    ClockLooks(events).replace(Look("another boot", wall, 1))
    events.dispose()


def register(data: str, party: str) -> int:
    """Register a brand, and return the exit code."""
    return pathbook("--data", data, "--book", "masks", "party", "register", party, "--kind", "brand").code


def test_an_operator_is_told_what_to_do_and_does_it(data: str) -> None:
    """A write fails and names the verb, which shows both times, confirms, and lets the write pass."""
    ran = pathbook("--data", data, "--book", "masks", "party", "register", "acme", "--kind", "brand")
    assert ran.code == 1
    assert "CLOCK_JUMPED: Nothing was written: the clock of the server says" in ran.err
    assert "3650 days after the time that it should be near" in ran.err
    assert "run `pathbook clock confirm`; if not, set it, then retry." in ran.err
    assert pathbook("--data", data, "--book", "masks", "party", "list").code == 0
    shown = pathbook("--data", data, "clock", "show")
    assert shown.code == 0
    assert "It is not believed, so nothing is written and no offer lapses." in shown.out
    confirmed = pathbook("--data", data, "clock", "confirm")
    assert confirmed.code == 0
    assert "Z is believed. Running servers go on within some seconds." in confirmed.out
    assert "It is believed." in pathbook("--data", data, "clock", "show").out
    assert register(data, "acme") == 0


def test_a_day_from_another_clock_must_be_that_of_the_machine(data: str) -> None:
    """With --today, a clock that is wrong is not confirmed by mistake."""
    wrong = pathbook("--data", data, "clock", "confirm", "--today", "2001-02-03")
    assert wrong.code == 2
    assert "which is not on 2001-02-03. Nothing was confirmed." in wrong.err
    assert register(data, "acme") == 1
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert pathbook("--data", data, "clock", "confirm", "--today", today).code == 0
    assert register(data, "acme") == 0


def test_json_says_the_same(data: str) -> None:
    """Scripts get the times, and whether the clock is believed."""
    shown = pathbook("--data", data, "--output", "json", "clock", "show").json()
    assert (shown["believed"], shown["events_ahead"]) == (False, [])
    assert str(shown["expected"]) < str(shown["clock"])
    confirmed = json.loads(pathbook("--data", data, "--output", "jsonl", "clock", "confirm").out)
    assert (confirmed["events_ahead"], confirmed["accepted"]) == ([], False)
    assert str(confirmed["confirmed"]) >= str(shown["clock"])


def test_the_clock_of_no_books_is_not_shown(tmp_path: Path) -> None:
    """A misspelt directory is named, and nothing is created in it."""
    for verb in ("show", "confirm"):
        ran = pathbook("--data", str(tmp_path), "clock", verb)
        assert ran.code == 4
        assert "There are no books in" in ran.err
    assert not list(tmp_path.iterdir())
