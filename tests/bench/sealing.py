"""Seals a book of many runs for the first time, then scattered moves, and prints the CPU that each step took.

Run it with ``python -m tests.bench.sealing``. Each unit is a run of its own, in events of 4,000 ranges. Then random
units of all batches move, and are sealed 10,000 at a time. With ``--at DIR``, the book is made there once and kept.
"""

import argparse
import contextlib
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pathbook.ledger.books import Books
from pathbook.ledger.commands import Command, RecordTransfer, RegisterParty
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.sealing import Sealer
from pathbook.ledger.store.custody.tables import empty_custody, open_custody
from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.custody_steps import CustodySteps
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.ledger.values import MAX_RANGES, PartyKind, Price, Selection, UnitRange
from tests.bench.scattered import DEADLINE_S, SEED, UNITS, commission
from tests.books import BEGINNING, Clock, engine, positions

GROUP = 500
"""How many moves one submission has."""


class Timer:
    """Adds up the seconds of CPU that each kind of work took, while its steps take turns."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def adding(self, what: str) -> Iterator[None]:
        """Add what a block takes, in all threads."""
        began = time.process_time()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - began

    def show(self, name: str) -> None:
        """Print what was added up, and begin again."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        shown = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in self.seconds.items())
        print(f"{name}: {shown}; peak {peak:,.0f} MB", flush=True)
        self.seconds.clear()


def move(name: str, giver: str, receiver: str, parts: Sequence[UnitRange]) -> Command:
    """Return the transfer of some ranges."""
    return RecordTransfer(
        request_id=name,
        giver=giver,
        receiver=receiver,
        units=Selection(tuple(parts)),
        unit_price=Price(15_000, "CNY"),
    )


def single_units(batch: int, size: int) -> Iterator[Command]:
    """Yield the transfers of a whole batch, the even units first: each unit becomes a run of its own."""
    parts = [UnitRange(batch, unit, unit) for parity in (0, 1) for unit in range(parity, size, 2)]
    for begin in range(0, size, MAX_RANGES):
        yield move(f"single {batch} {begin}", "acme", "ann", parts[begin : begin + MAX_RANGES])


class Opened:
    """The open books of a place, which nothing seals but `seal`."""

    def __init__(self, place: Path) -> None:
        events, self.views = engine(place, "events"), engine(place, "views")
        self.stream = Stream(events)
        self.follower = Follower(self.stream, self.views)
        loader = StateLoader(self.stream, self.views, SQLAlchemyTrackingRecorder(self.views))
        self.books = Books(self.stream, loader, self.follower, Clock())
        self.steps = CustodySteps(self.views, self.stream)
        open_custody(self.views)

    def ask(self, commands: Sequence[Command]) -> None:
        """Record commands, all of which must be accepted."""
        positions(self.books.submit("masks", commands).result(DEADLINE_S))

    def fill(self, batches: int, size: int) -> None:
        """Record the batches and their runs, unless they are there."""
        if self.stream.head("masks"):
            return
        self.ask([*BEGINNING[:-1], RegisterParty(request_id="ben", party="ben", kind=PartyKind.AGENT)])
        self.ask([commission(batch, size // UNITS) for batch in range(1, batches + 1)])
        for batch in range(1, batches + 1):
            self.ask(list(single_units(batch, size)))
            self.follower.catch_up("masks")

    def seal(self, timer: Timer) -> int:
        """Compute and write the steps to the head, without a seal in the log. Return how many there were."""
        count = 0
        while True:
            with timer.adding("compute"):
                step = self.steps.next("masks")
            if step is None:
                return count
            # as `Sealer` does
            with timer.adding("record"):
                position = (
                    Sealer._record(_sealer(self), "masks", step) if not step.position else step.position
                )
            with timer.adding("write"):
                assert self.steps.write(step, position)
            count += 1
            with timer.adding("follow"):
                self.follower.catch_up("masks")


def _sealer(opened: Opened) -> Sealer:
    return Sealer(opened.books, opened.stream, opened.follower, opened.steps)


def run(place: Path, batches: int, size: int, moves: int) -> None:
    """Seal what is there, then the moves, and print the figures."""
    collect_rarely()  # as the processes of a server do
    opened = Opened(place)
    opened.fill(batches, size)
    timer = Timer()
    with writing(opened.views) as connection:
        empty_custody(connection)
    count = opened.seal(timer)
    timer.show(f"first seal of {batches * size:,} runs in {count} steps")
    places = random.Random(SEED).sample(range(batches * size), moves)
    for begin in range(0, moves, 10_000):
        made = places[begin : begin + 10_000]
        parts = [UnitRange(1 + place // size, place % size, place % size) for place in made]
        commands = [move(f"{part.batch} {part.first}", "ann", "ben", [part]) for part in parts]
        for group in range(0, len(commands), GROUP):
            with timer.adding("writer"):
                opened.ask(commands[group : group + GROUP])
        with timer.adding("follower"):
            opened.follower.catch_up("masks")
        opened.seal(timer)
    timer.show(f"{moves:,} scattered moves")


def main() -> None:
    """Read the options, run the bench, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--size", type=int, default=10_000, help="the units of a batch")
    parser.add_argument("--moves", type=int, default=40_000, help="how many units move onward")
    parser.add_argument("--at", type=Path, help="where the book is made and kept")
    chosen = parser.parse_args()
    if chosen.at is not None:
        chosen.at.mkdir(exist_ok=True)
        run(chosen.at, chosen.batches, chosen.size, chosen.moves)
        return
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), chosen.batches, chosen.size, chosen.moves)


if __name__ == "__main__":
    main()
