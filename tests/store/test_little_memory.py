"""Views are the same however little the writer and the follower remember, on both kinds of database."""

import random
from pathlib import Path

import pytest

from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.run_cache import RunCache
from tests.books import engine
from tests.replaying import replay
from tests.rules.registers import Registers
from tests.rules.stage import Dice
from tests.store.follower_process import rows_at_once, rows_of

STEPS = 150


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.heavy)])
def test_what_is_written_and_rebuilt_with_little_memory_is_what_is_projected_at_once(
    place: Path, tmp_path: Path, seed: int
) -> None:
    """Random commands have the same outcomes, and their views the same rows, after a rebuild as before it."""
    books, chance = Registers(), random.Random(seed)
    for _ in range(STEPS):
        books.step(Dice(chance.randbytes(40)))
    assert replay(place, books.story) > STEPS
    events, views, name = engine(place, "events"), engine(place, "views"), books.story.state.book
    stream = Stream(events)
    follower = Follower(stream, views, 2)
    follower._projector.cache.partitions = RunCache(3)
    follower.catch_up(name)
    written = rows_of(views)
    assert len(written["run"]) > 25
    follower.rebuild()
    rebuilt = rows_of(views)
    assert rebuilt == written
    assert rebuilt == rows_at_once(stream, tmp_path, name)
    follower.close()
    stream.close()
    events.dispose()
    views.dispose()
