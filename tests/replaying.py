"""Replays commands against a book in a store that remembers little, and is opened again and again."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from pathbook.ledger.book import memory
from pathbook.ledger.commands import Command
from pathbook.ledger.events import Event
from pathbook.ledger.refusals import Refusal
from tests.books import PATIENCE, open_books
from tests.scenario import Story

LITTLE_MEMORY = {
    "LOADED_RUNS_MAX": 3,
    "LOADED_TRANSFERS_MAX": 2,
    "LOADED_CASES_MAX": 1,
    "LOADED_LOTS_MAX": 1,
    "LOADED_REFERENCES_MAX": 1,
    "EVICTION_INTERVAL_GROUPS": 1,
}
"""The limits of ``pathbook.ledger.book.memory`` with which a book keeps as little in memory as it can."""


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Let books keep as little in memory as they can, within the context."""
    before = {name: getattr(memory, name) for name in LITTLE_MEMORY}
    vars(memory).update(LITTLE_MEMORY)
    try:
        yield
    finally:
        vars(memory).update(before)


def replay(place: Path, story: Story) -> int:
    """Give the commands of a story to its book in a place, compare every outcome, and return how many were compared."""
    with little_memory():
        return _replay(place, story.state.book, iter(story.commands))


def _replay(place: Path, book: str, rest: Iterator[tuple[Command, Event | Refusal]]) -> int:
    compared = 0
    while chunk := list(itertools.islice(rest, 17)):
        with open_books(place) as opened:
            for part in (chunk[:5], chunk[5:6], chunk[6:]):
                outcomes = opened.submit(book, [command for command, _ in part]).result(PATIENCE)
                found = [item if isinstance(item, Refusal) else item.recorded.event for item in outcomes]
                for (command, outcome), answer in zip(part, found, strict=True):
                    assert answer == outcome, f"{command}: the book says {answer}, not {outcome}"
                compared += len(part)
    return compared
