"""A naive replay of a book, written from the comments of the contract alone, gives every answer of the server.

The replay keeps one object for each unit. It shares no code with the server, and takes its rules from proto/.
"""

from pathlib import Path

import pytest

from pathbook.client import Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.contract.comparison import Comparison
from tests.contract.life import Life
from tests.examples import examples


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.heavy) for seed in range(2, 12))])
def test_a_replay_by_the_comments_of_the_contract_gives_every_answer_of_the_server(
    tmp_path: Path, seed: int
) -> None:
    """A naive replay has the same units, paths, ladders, stocks, chains, cases and offers as the server."""
    settings = Settings(data=tmp_path, listen="127.0.0.1:0")
    with running(settings) as port, Client(f"127.0.0.1:{port}", book="life") as client:
        life = Life(client, seed)
        life.begin()
        life.live(examples(200, 450))
        comparison = Comparison(client, life.replay)
        comparison.everything()
        for position in life.random.sample(range(50, life.replay.position), examples(3, 8)):
            comparison.earlier(position, life.random)
    print(life.replay.kinds, life.refused, comparison.compared.total())  # noqa: T201 - shown if the test fails
    assert comparison.differences == []
