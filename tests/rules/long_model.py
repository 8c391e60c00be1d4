"""Plays random steps against the naive model for some minutes: `python -m tests.rules.long_model --minutes 20`.

A difference is shrunk to few steps, and printed as a story. The exit code is 1 if there is any.
"""

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pathbook.ledger.refusals import Refusal
from tests.replaying import replay
from tests.rules.read_back import open_views, read_back
from tests.rules.registers import Registers
from tests.rules.stage import Dice
from tests.rules.words import line

STEPS = 80
"""The steps of a story."""

DICE = 32
"""The bytes of a step."""


@dataclass
class Tally:
    """What was done, and the differences that were found, as stories."""

    stories: int = 0
    steps: int = 0
    accepted: int = 0
    compared: int = 0
    differences: list[str] = field(default_factory=list)


def play(steps: list[bytes], tally: Tally | None = None) -> tuple[int, str, str]:
    """Play steps. Return how many were played, and the difference that ended them and its story, or blanks."""
    books, difference, played = Registers(), "", 0
    for step in steps:
        played += 1
        try:
            books.step(Dice(step))
        except Exception as error:  # noqa: BLE001 - a rule that breaks is a difference, too
            difference = f"{type(error).__name__}: {error}"
            break
    if tally is not None:
        tally.steps, tally.compared = tally.steps + books.asked, tally.compared + books.compared
        tally.accepted += books.accepted
    if not difference:
        return played, "", ""
    told = [
        f"{line(command)}{f' -> {outcome.reason.name}' if isinstance(outcome, Refusal) else ''}"
        for command, outcome in books.story.commands
    ]
    return played, difference, "\n".join(told)


def replayed(steps: list[bytes]) -> str:
    """Play steps, replay their commands against a book in a store, and return the difference, or ""."""
    books = Registers()
    for step in steps:
        books.step(Dice(step))
    with tempfile.TemporaryDirectory() as place:
        try:
            replay(Path(place), books.story)
            with open_views(Path(place)) as queries:
                read_back(books, queries, Dice(steps[0] * 3))
        except Exception as error:  # noqa: BLE001 - a book that breaks is a difference, too
            return f"{type(error).__name__} in a store: {error}"[:3_000]
    return ""


def kind_of(difference: str) -> str:
    """Return what stays the same when a difference is shrunk: its first words, and what the rules said."""
    return difference.partition("(")[0][:60] + difference.rpartition(": the rules say")[2][:6]


def shrunk(steps: list[bytes], kind: str) -> list[bytes]:
    """Leave out steps and replace bytes by 0, while the same kind of difference remains."""
    before: list[bytes] = []
    while steps != before:
        before, steps = steps, simpler(steps, kind)
    return steps


def simpler(steps: list[bytes], kind: str) -> list[bytes]:
    """Leave out steps, and replace bytes by 0, once."""
    size = max(len(steps) // 2, 1)
    while True:
        start = 0
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            played, difference, _ = play(fewer)
            if kind_of(difference) == kind and difference:
                steps = fewer[:played]
            else:
                start += size
        if size == 1:
            break
        size //= 2
    for place, step in enumerate(steps):
        for byte in range(len(step)):
            changed = bytearray(steps[place])
            if changed[byte]:
                changed[byte] = 0
                tried = [*steps[:place], bytes(changed), *steps[place + 1 :]]
                played, difference, _ = play(tried)
                if difference and kind_of(difference) == kind and played == len(steps):
                    steps = tried
    return steps


def search(seconds: float, seed: int, *, in_store: int = 0, limit: int = 5) -> Tally:
    """Play stories of random steps until the time is over, or ``limit`` differences are found.

    One story of ``in_store`` is also replayed against a book in a store, or none if that is 0.
    """
    until, tally, kinds = time.monotonic() + seconds, Tally(), set[str]()
    while time.monotonic() < until and len(tally.differences) < limit:
        chance = random.Random(seed + tally.stories)
        steps = [chance.randbytes(DICE) for _ in range(STEPS)]
        played, difference, _ = play(steps, tally)
        tally.stories += 1
        if not difference and in_store and tally.stories % in_store == 0 and (told := replayed(steps)):
            tally.differences.append(f"seed {seed + tally.stories - 1}: {told}")
        if difference and kind_of(difference) not in kinds:
            kinds.add(kind_of(difference))
            _, smallest, story = play(shrunk(steps[:played], kind_of(difference)))
            tally.differences.append(f"seed {seed + tally.stories - 1}: {smallest}\n{story}")
    return tally


def main() -> int:
    """Play for the given minutes, and print what was done and what differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000)
    parser.add_argument("--in-store", type=int, default=0, help="replay one story of so many in a store")
    given = parser.parse_args()
    tally = search(given.minutes * 60, given.seed, in_store=given.in_store)
    print("\n\n".join(tally.differences))
    print(
        f"seed {given.seed}: {tally.stories} stories, {tally.steps} steps, {tally.accepted} accepted,"
        f" {tally.compared} comparisons, {len(tally.differences)} kinds of differences"
    )
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
