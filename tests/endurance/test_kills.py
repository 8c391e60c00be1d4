"""No answered request is lost or recorded twice, whenever a server, a follower or an import is killed."""

import contextlib
import random
from pathlib import Path

import pytest

from pathbook.client import RefusedError
from tests.endurance import comparing, early_answers, kills


def survives(place: Path, tmp_path_factory: pytest.TempPathFactory, count: int, seed: int) -> kills.Tally:
    """Let a book live through kills, and check the counts."""
    tally = kills.live(place, tmp_path_factory.mktemp("sheets"), count, random.Random(seed))
    assert tally.kills.total() == count
    assert tally.answered > 0
    assert (tally.lost, tally.doubled, tally.views_differ) == (0, 0, False), tally
    assert tally.checkpoints > 0
    assert tally.contradicted == 0, tally
    return tally


def test_a_few_kills_lose_and_double_nothing(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Five kills at random moments leave every answered request recorded once, and the views whole."""
    survives(place, tmp_path_factory, 5, 1)


@pytest.mark.heavy
def test_a_server_that_answers_before_it_commits_is_caught(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A mutant of the server, which answers before its events are committed, loses what it answered."""
    life = kills.Life(tmp_path, tmp_path_factory.mktemp("sheets"), early_answers.COMMAND)
    try:
        for _ in range(6):
            life.wait_for_answers(20)  # a server that is killed while it starts has answered nothing
            life.kill("server")
        with contextlib.suppress(RefusedError, AssertionError):  # others took the positions of what was lost
            life.stop_writing()
        with life.client() as client:
            comparing.compare_answers(life, client)
    finally:
        life.stop()
    assert life.tally.lost > 0


@pytest.mark.heavy
def test_many_kills_lose_and_double_nothing(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same holds for a hundred and fifty kills on each kind of database, while sheets are imported."""
    tally = survives(place, tmp_path_factory, 150, 2)
    assert tally.sheets > 0
    assert min(tally.kills.values()) > 0
