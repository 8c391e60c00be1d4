"""Adds a report to a long book while callers write, and prints what that does to the writes and to the views.

Run it with ``python -m tests.bench.added_report``. ``--events`` says how many transfers the book has before, 5,000,000
unless told otherwise. With ``--all-reports`` the book has the reports of the program all the time, else only the new
one. ``--database`` names a PostgreSQL database for the books, and ``--data`` a directory, which is kept. The book is
filled without a server, in batches. Then the process opens it again, first without the report and then with it, and
callers write one transfer at a time, each of its own units.
"""

import argparse
import contextlib
import dataclasses
import datetime
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pathbook.ledger.book import Answer
from pathbook.ledger.books import Books
from pathbook.ledger.commands import CommissionBatch, RecordTransfer, RegisterParty
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.report import Report
from pathbook.ledger.values import PartyKind, Price, Selection, UnitRange
from tests.books import BEGINNING, DATABASE_FILE, Clock, ask, open_books, positions
from tests.scenario import CODE_KEY, DAY, MASK, NOON
from tests.store.test_reports import GIVEN

CALLERS: Final = 8
CHUNK: Final = 2_000
PER_BATCH: Final = 50_000
"""How many units each batch has."""

SPARE_BATCHES: Final = 40
"""How many more batches there are for the callers."""

AGENTS: Final = 50
"""Units go to so many agents in turn, so that runs do not merge."""

LONGEST_WAIT_S: Final = 3_600.0
LOOK_EVERY_S: Final = 0.05


@dataclasses.dataclass
class Measured:
    """What callers saw: how long each write took, how many were not answered, and how far the views were behind."""

    seconds: list[float] = dataclasses.field(default_factory=list)
    refused: list[str] = dataclasses.field(default_factory=list)
    lags: list[int] = dataclasses.field(default_factory=list)

    def line(self, name: str, took: float) -> str:
        """Return a line of figures."""
        seconds, lags = sorted(self.seconds), sorted(self.lags)
        return (
            f"{name}: {len(seconds):,} writes, {len(seconds) / took:,.0f} a second, {len(self.refused)} refused;"
            f" p50 {statistics.median(seconds) * 1e3:.1f} ms, p99 {seconds[int(len(seconds) * 0.99)] * 1e3:.1f} ms,"
            f" longest {seconds[-1] * 1e3:.0f} ms; views behind by p50 {lags[len(lags) // 2]:,}, at most {lags[-1]:,}"
        )


def give(unit: int) -> RecordTransfer:
    """Return the command that records the transfer of one unit to one of the agents."""
    return RecordTransfer(
        request_id=f"unit {unit}",
        giver="acme",
        receiver=f"agent{unit % AGENTS}",
        units=Selection((UnitRange(2 + unit // PER_BATCH, unit % PER_BATCH, unit % PER_BATCH),)),
        unit_price=Price(15_000 + unit % 97, "CNY"),
    )


def commission(number: int) -> CommissionBatch:
    """Return the command that makes a batch."""
    return CommissionBatch(
        request_id=f"batch {number}",
        brand="acme",
        product=MASK,
        lot=f"N{number}",
        size=PER_BATCH,
        made_on=datetime.date(2025, 12, 1),
        code_key=CODE_KEY,
    )


def fill(place: Path, events: int, reports: Sequence[Report]) -> None:
    """Open a book, and record so many transfers in batches."""
    begin = time.perf_counter()
    with open_books(place, reports=reports) as opened:
        positions(ask(opened, *BEGINNING))
        agents = [f"agent{number}" for number in range(AGENTS)]
        positions(ask(opened, *(RegisterParty(request_id=n, party=n, kind=PartyKind.AGENT) for n in agents)))
        batches = events // PER_BATCH + SPARE_BATCHES
        positions(ask(opened, *map(commission, range(batches))))
        for first in range(0, events, CHUNK):
            found = opened.submit("masks", list(map(give, range(first, min(first + CHUNK, events)))))
            positions(found.result(LONGEST_WAIT_S))
        head = events + batches + AGENTS + len(BEGINNING)
        opened._follower.reached("masks", head).result(LONGEST_WAIT_S)
    print(f"filled with {events:,} transfers in {time.perf_counter() - begin:,.0f} s", flush=True)


@contextlib.contextmanager
def written_to(opened: Books, first: int) -> Iterator[Measured]:
    """Let callers write, each as soon as it has its answer, until the block ends."""
    measured, done, follower = Measured(), threading.Event(), opened._follower
    written = [0] * CALLERS

    def write(caller: int) -> None:
        unit = first + caller
        while not done.is_set():
            begin = time.perf_counter()
            try:
                (outcome,) = opened.submit("masks", [give(unit)]).result(LONGEST_WAIT_S)
            except Exception as error:  # noqa: BLE001 -- any error is a write that was not answered
                measured.refused.append(repr(error))
            else:
                if isinstance(outcome, Answer):
                    written[caller] = outcome.recorded.position
                else:
                    measured.refused.append(str(outcome))
            measured.seconds.append(time.perf_counter() - begin)
            unit += CALLERS

    def look() -> None:
        while not done.wait(LOOK_EVERY_S):
            head = max(written)
            if head:
                measured.lags.append(max(0, head - follower.position("masks")))

    threads = [threading.Thread(target=write, args=(caller,)) for caller in range(CALLERS)]
    threads.append(threading.Thread(target=look))
    for thread in threads:
        thread.start()
    try:
        yield measured
    finally:
        done.set()
        for thread in threads:
            thread.join()


def measure(place: Path, events: int, quiet_s: float, kept: Sequence[Report]) -> None:
    """Let callers write without a new report, then while one is added, and print both."""
    first = events
    begin = time.perf_counter()
    with open_books(place, Clock(NOON + DAY), reports=kept) as opened:
        begin = time.perf_counter()
        with written_to(opened, first) as before:
            time.sleep(quiet_s)
        print(before.line("before", time.perf_counter() - begin), flush=True)
    first += len(before.seconds) * CALLERS
    with open_books(place, Clock(NOON + DAY), reports=(*kept, GIVEN)) as opened:
        reports = opened._follower.reports
        begin = time.perf_counter()
        with written_to(opened, first) as during:
            while reports.position(GIVEN, "masks") < events:
                time.sleep(LOOK_EVERY_S)
            built = time.perf_counter() - begin
        head = opened._stream.head("masks")
        reports.reached(GIVEN, "masks", head).result(LONGEST_WAIT_S)
        print(during.line("during", built), flush=True)
        print(
            f"the report is level after {time.perf_counter() - begin:,.1f} s, {events / built:,.0f} events a second"
        )
    for error in (*before.refused, *during.refused)[:3]:
        print(f"refused: {error}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process with writer, callers and follower: {peak:,.0f} MB")


def main() -> None:
    """Fill a book, add a report, and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--quiet-seconds", type=float, default=10.0)
    parser.add_argument("--all-reports", action="store_true")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--database", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = given.data or Path(name)
        place.mkdir(parents=True, exist_ok=True)
        if given.database:
            (place / DATABASE_FILE).write_text(given.database, "utf-8")
        kept = REPORTS if given.all_reports else ()
        fill(place, given.events, kept)
        measure(place, given.events, given.quiet_seconds, kept)


if __name__ == "__main__":
    main()
