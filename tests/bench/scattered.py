"""Moves units once in order and then onward at random, and prints what the writer and the follower take for a move.

Run it with ``python -m tests.bench.scattered``. The first hop cuts each batch into runs of ten units. The second hop
moves random runs of all batches, so more runs are in motion than memory holds.
"""

import argparse
import datetime
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pathbook.ledger.book import memory
from pathbook.ledger.books import Books
from pathbook.ledger.commands import Command, CommissionBatch, RecordTransfer, RegisterParty
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.run_cache import RunCache
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.ledger.values import PartyKind, Price, Quantity, Selection, UnitRange
from tests.books import BEGINNING, DATABASE_FILE, Clock, engine, positions
from tests.postgres import drop_database, new_database
from tests.scenario import CODE_KEY, MASK

UNITS = 10
"""How many units a run has after the first hop."""

GROUP = 1_000
"""How many moves one submission has."""

ROUND = 10_000
"""How many moves the writer records before the follower updates the views. The tail in memory is no longer."""

SEED = 20_260_101
DEADLINE_S = 600.0


def commission(batch: int, runs: int) -> CommissionBatch:
    """Return the command that commissions a batch which can be cut into so many runs."""
    return CommissionBatch(
        request_id=f"batch {batch}",
        brand="acme",
        product=MASK,
        lot=f"lot-{batch}",
        size=runs * UNITS,
        made_on=datetime.date(2025, 12, 2),
        code_key=CODE_KEY,
    )


def moves(giver: str, receiver: str, places: Sequence[tuple[int, int]]) -> Iterator[Command]:
    """Yield the transfers of runs, which are given by batch and place."""
    for batch, place in places:
        part = UnitRange(batch, place * UNITS, (place + 1) * UNITS - 1)
        yield RecordTransfer(
            request_id=f"{receiver} {batch} {place}",
            giver=giver,
            receiver=receiver,
            units=Selection((part,)),
            unit_price=Price(15_000, "CNY"),
        )


class Bench:
    """A book of masks with its follower, and the seconds of CPU that each of them took."""

    def __init__(self, opened: Books, follower: Follower) -> None:
        self.opened, self.follower = opened, follower

    def ask(self, commands: Sequence[Command]) -> None:
        """Record commands, all of which must be accepted."""
        positions(self.opened.submit("masks", commands).result(DEADLINE_S))

    def record(self, name: str, commands: Sequence[Command]) -> None:
        """Record moves, and print what a move took."""
        writer = follower = 0.0
        for begin in range(0, len(commands), ROUND):
            started = time.process_time()
            for group in range(begin, min(begin + ROUND, len(commands)), GROUP):
                self.ask(commands[group : group + GROUP])
            recorded = time.process_time()
            self.follower.catch_up("masks")
            writer, follower = writer + recorded - started, follower + time.process_time() - recorded
        count = len(commands) / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name:<28} {len(commands):>9,} moves   writer {writer / count:7.1f} us   follower"
            f" {follower / count:7.1f} us   peak {peak:,.0f} MB",
            flush=True,
        )


def run(place: Path, batches: int, runs: int, onward: int, little: int) -> None:
    """Record both hops at a place, and print the figures."""
    events, views = engine(place, "events"), engine(place, "views")
    stream = Stream(events)
    follower = Follower(stream, views)
    loader = StateLoader(stream, views, SQLAlchemyTrackingRecorder(views))
    opened = Books(stream, loader, follower, Clock())
    if little:
        memory.LOADED_RUNS_MAX, memory.EVICTION_INTERVAL_GROUPS = little, 8
        follower._projector.cache.partitions = RunCache(little * 3 // 4)
    bench = Bench(opened, follower)
    parties = ("ben", "cat")
    bench.ask(
        [*BEGINNING[:-1], *(RegisterParty(request_id=p, party=p, kind=PartyKind.AGENT) for p in parties)]
    )
    bench.ask([commission(batch, runs) for batch in range(1, batches + 1)])
    places = [(batch, number) for batch in range(1, batches + 1) for number in range(runs)]
    bench.record("first hop, in order", list(moves("acme", "ann", places)))
    random.Random(SEED).shuffle(places)
    half = min(onward, len(places) // 2)
    bench.record("onward, scattered", list(moves("ann", "ben", places[:half])))
    bench.record("onward again, scattered", list(moves("ben", "cat", places[: half // 2])))
    opened.close()
    opened = Books(stream, loader, follower, Clock())  # with nothing loaded
    for name, quantity in (
        ("of a batch", Quantity(15, batch=1)),
        ("of a product", Quantity(15, product=MASK)),
    ):
        command = RecordTransfer(
            request_id=name,
            giver="ann",
            receiver="cat",
            units=Selection(quantities=(quantity,)),
            unit_price=Price(1, "CNY"),
        )
        started = time.process_time()
        positions(opened.submit("masks", [command]).result(DEADLINE_S))
        print(f"a quantity {name}, with nothing loaded: {(time.process_time() - started) * 1e3:,.1f} ms")
    opened.close()
    follower.close()
    stream.close()
    events.dispose()
    views.dispose()


def main() -> None:
    """Read the options, run the bench, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--runs", type=int, default=10_000, help="the runs of a batch")
    parser.add_argument("--onward", type=int, default=50_000, help="how many runs move onward")
    parser.add_argument(
        "--little", type=int, default=0, help="how many runs memory holds, if not the usual limit"
    )
    parser.add_argument("--postgresql", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        url = new_database() if chosen.postgresql else None
        if url is not None:
            (place / DATABASE_FILE).write_text(url, "utf-8")
        run(place, chosen.batches, chosen.runs, chosen.onward, chosen.little)
        if url is not None:
            drop_database(url)


if __name__ == "__main__":
    main()
