"""Measures what reports add to the CPU time of a follower, and prints microseconds an event with and without them.

Run it with ``python -m tests.bench.followed``. The book has the transfers of `pathbook bench`: pieces of ten units that
go down tiers of agents. It is followed as it grows, in groups of ``--group`` events, in one process. ``--profile``
prints where the time with reports goes.
"""

import argparse
import cProfile
import datetime
import itertools
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from pathbook.bench import moves
from pathbook.ledger.codec import decode, encode
from pathbook.ledger.commands import (
    AuthorizeParty,
    Command,
    CommissionBatch,
    RecordTransfer,
    RegisterParty,
    RegisterProduct,
)
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.report import Report
from pathbook.ledger.requests import digest, request_of
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State, evolve
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.values import PartyKind, Price, Selection, UnitRange
from tests.postgres import drop_database, new_database
from tests.scenario import CODE_KEY, MASK, NOON, opening

BOOK: Final = "book"
SEED: Final = 20_260_101

Entries = list[tuple[str, bytes]]


def beginning() -> list[Command]:
    """Return the commands that open a book with all parties of the bench and its product."""
    agents = [(agent, tier) for tier in range(1, moves.TIERS + 1) for agent in moves.agents(tier)]
    return [
        opening(BOOK),
        RegisterParty(request_id=moves.BRAND, party=moves.BRAND, kind=PartyKind.BRAND),
        *(RegisterParty(request_id=agent, party=agent, kind=PartyKind.AGENT) for agent, _ in agents),
        *(
            AuthorizeParty(
                request_id=f"authorize {agent}",
                party=agent,
                upline=moves.agents(tier - 1)[0] if tier > 1 else moves.BRAND,
                tier=tier,
            )
            for agent, tier in agents
        ),
        RegisterProduct(
            request_id=MASK,
            brand=moves.BRAND,
            product=MASK,
            name="Mask",
            suggested_price=Price(30_000, "CNY"),
        ),
    ]


def recorded(transfers: int, batches: int) -> Entries:
    """Return the log of a book with this many transfers of units of so many batches."""
    random, state, entries = Random(SEED), State(BOOK), Entries()

    def ask(command: Command) -> None:
        event = decide(state, command, NOON)
        assert not isinstance(event, Refusal), event
        asked = request_of(command.actor, command.request_id)
        entry = encode(
            event, recorded_at=NOON, occurred_at=NOON, request=asked, request_digest=digest(command)
        )
        entries.append(entry)
        evolve(state, decode(len(entries), entry[1]))

    for command in beginning():
        ask(command)
    for batch in range(1, batches + 1):
        goods = moves.draw(random, batch, moves.Shape(10), transfers // batches)
        made = datetime.date(2025, 12, 1)
        ask(
            CommissionBatch(
                request_id=f"batch {batch}", brand=moves.BRAND, product=MASK, lot=f"L{batch}",
                size=goods.size, made_on=made, code_key=CODE_KEY,
            )
        )  # fmt: skip
        for number, move in enumerate(goods.moves):
            ask(
                RecordTransfer(
                    request_id=f"transfer {batch} {number}",
                    giver=move.giver,
                    receiver=move.receiver,
                    units=Selection(tuple(itertools.starmap(UnitRange, move.ranges))),
                    unit_price=Price(move.price_minor, "CNY"),
                )
            )
    return entries


def followed(entries: Entries, group: int, reports: Sequence[Report], database: str) -> float:
    """Follow a log as it grows by groups of events, and return the CPU microseconds of the follower for an event."""
    with tempfile.TemporaryDirectory() as name:
        events = open_engine(database or Path(name, "events.sqlite"), purpose="events")
        views = open_engine(database or Path(name, "views.sqlite"), purpose="views")
        stream, used = Stream(events), 0.0
        follower = Follower(stream, views, reports=reports)
        for begin in range(0, len(entries), group):
            stream.append(BOOK, begin, entries[begin : begin + group])
            began = time.process_time()
            follower.catch_up(BOOK)
            used += time.process_time() - began
        for report in reports:
            assert follower.reports.position(report, BOOK) == len(entries), report.name
        follower.close()
        views.dispose()
        events.dispose()
    return used / len(entries) * 1e6


def main() -> None:
    """Measure in turns, and print the least of each, because other programs on the machine only add to it."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--transfers", type=int, default=20_000)
    options.add_argument("--batches", type=int, default=4)
    options.add_argument("--group", type=int, default=500)
    options.add_argument("--turns", type=int, default=3)
    options.add_argument("--postgresql", action="store_true", help="Measure PostgreSQL instead of SQLite.")
    options.add_argument("--profile", action="store_true")
    given = options.parse_args()
    collect_rarely()
    entries = recorded(given.transfers, given.batches)

    def measure(reports: Sequence[Report]) -> float:
        database = new_database() if given.postgresql else ""
        try:
            return followed(entries, given.group, reports, database)
        finally:
            if database:
                drop_database(database)

    if given.profile:
        with cProfile.Profile() as profile:
            measure(REPORTS)
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(60)
        return
    without, with_reports = zip(*((measure([]), measure(REPORTS)) for _ in range(given.turns)), strict=True)
    print(f"{'microseconds an event, without reports':44}{min(without):8.1f}")
    print(f"{'with all reports':44}{min(with_reports):8.1f}")
    print(f"{'pace beside that without reports':44}{min(without) / min(with_reports):8.2f}")


if __name__ == "__main__":
    main()
