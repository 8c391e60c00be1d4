"""Imports years of sales with interruptions, checks all of it against DuckDB, and prints what it took.

``python -m tests.bench.decade --help`` lists what may be asked for; README.md beside it says what is done.
"""

import argparse
import contextlib
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from pathbook.client import Client, RefusedError
from pathbook.v1.values_pb2 import PARTY_KIND_SHOP
from tests.bench.decade.checks import check_stock, check_stream, check_summary, same, verify_bottles
from tests.bench.decade.interrupted import Run, Sample, Watched
from tests.bench.decade.processes import BOOK, PATHBOOK, Store
from tests.bench.decade.recorded import STATE, Replayed
from tests.bench.decade.sums import Sums
from tests.bench.decade.synthetic import LINES_A_TABLE, write_tables
from tests.bench.decade.views import disk, fingerprints

Done = TypeVar("Done")

MB: Final = 1_000_000
CALL_SECONDS: Final = 600.0
"""How long a call may take, and how long the views are waited for when all is imported."""

TENTHS: Final = 10
PATHS: Final = 200
"""How many bottles' paths are held against the lines they were sold in."""

COMMANDS: Final = 5
"""For how many of them the command `pathbook verify` is run."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Do all of it. Raises AssertionError at the first difference between book and tables."""
    asked = _parser().parse_args(arguments)
    with contextlib.ExitStack() as stack:
        here = asked.directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here.mkdir(parents=True, exist_ok=True)
        tables = asked.tables or here / "tables"
        if asked.tables is None:
            write_tables(tables, asked.lines, seed=asked.seed, lines_a_table=asked.lines_a_table)
        store = Store(here / "data", asked.database)
        sums = stack.enter_context(contextlib.closing(Sums(tables, here)))
        chance = random.Random(asked.seed)
        run = stack.enter_context(contextlib.closing(Run(store, tables, here, asked.serve)))
        _bench(run, store, sums, chance, asked.kills)


def _bench(run: Run, store: Store, sums: Sums, chance: random.Random, kills: int) -> None:
    lines, unreadable, unfulfilled = sums.counted()
    _say("lines", f"{lines:,} in {len(sums.sources)} tables")
    _say("of these", f"{unreadable:,} unreadable, {unfulfilled:,} returns of what the store has not got")
    printed = check_summary(run.import_tables(2 * lines, kills, chance), sums, interrupted=kills > 0)
    _say("imported", f"{printed.accepted:,} new, {printed.duplicate:,} again: as the tables say, to the cent")
    _tell_import(run.watched, lines)
    with Client(run.server.target, book=BOOK, timeout=CALL_SECONDS) as client:
        with _timed("views at the head"):
            client.position = _caught_up(client)
        with _timed("stock of all parties asked for, as the tables say"):
            owned = check_stock(client, sums)
        with _timed("stream of events replayed, as the tables say"):
            replayed = check_stream(client, sums, owned)
        verified = verify_bottles(client, run.server.target, sums, chance, paths=PATHS, commands=COMMANDS)
    paths, commands = verified.paths, verified.commands
    _say("bottles", f"{len(paths)} drawn, their paths as the lines they were sold in")
    _say(
        "path", f"p50 {statistics.median(paths):.1f} ms, p99 {statistics.quantiles(paths, n=100)[-1]:.1f} ms"
    )
    _say("pathbook verify", f"p50 {statistics.median(commands):.0f} ms, the start of the command included")
    _restart(run)
    _tell_disk(store, replayed)
    _rebuild(store, replayed.events)
    print("Everything in the book is as the tables say.")


def _tell_import(watched: Watched, lines: int) -> None:
    _say(
        "import",
        f"{watched.seconds:,.0f} s, {lines / watched.seconds:,.0f} lines a second, interruptions included",
    )
    _say("killed at positions", ", ".join(f"{position:,}" for position in watched.kills) or "-")
    _say("listening again after", ", ".join(f"{seconds:.1f} s" for seconds in watched.restarts) or "-")
    _say("memory of the server", f"{watched.server_peak / MB:,.0f} MB at the most")
    _say("memory of the importer", f"{watched.importer_peak / MB:,.0f} MB at the most")
    print(
        f"    {'position':>12}  {'events/s':>8}  {'views behind':>12}  {'server MB':>9}  {'importer MB':>11}"
    )
    for before, sample in _tenths(watched.samples):
        rate = (sample.position - before.position) / (sample.seconds - before.seconds)
        print(
            f"    {sample.position:>12,}  {rate:>8,.0f}  {sample.position - sample.views:>12,}"
            f"  {sample.server / MB:>9,.0f}  {sample.importer / MB:>11,.0f}"
        )


def _tell_disk(store: Store, replayed: Replayed) -> None:
    log, views = disk(store)
    events = replayed.events
    _say("events", f"{events:,} of {replayed.size / events:.0f} B, {replayed.batches:,} of them batches")
    _say("log on disk", f"{log / MB:,.0f} MB, {log / events:.0f} B an event")
    _say("views on disk", f"{views / MB:,.0f} MB; with the log {(log + views) / events:.0f} B an event")


def _tenths(samples: list[Sample]) -> Iterator[tuple[Sample, Sample]]:
    """Yield the samples at each tenth of the growth, each with the one before it."""
    grown = [sample for sample in samples if sample.position]
    last = grown[0] if grown else None
    for tenth in range(1, TENTHS + 1):
        until = grown[-1].position * tenth / TENTHS if grown else 0
        sample = next((each for each in grown if each.position >= until), None)
        if last is not None and sample is not None and sample.seconds > last.seconds:
            yield last, sample
            last = sample


def _restart(run: Run) -> None:
    """Stop and start the server, and time its first answers to who reads and who writes."""
    with Client(run.server.target, book=BOOK) as client:
        position = client.get_head().position
    stopped, _ = _seconds(run.server.terminate)
    server = run.start()
    with Client(server.target, book=BOOK) as client:
        reading, path = _seconds(lambda: client.get_path((1, 0)))
        writing, refused = _seconds(lambda: _refused(client))
        same("what is refused after a restart", refused, "PARTY_EXISTS")
        same("the head after a restart", client.get_head().position, position)
        same("the position of the first path", path.as_of_position, position)
    server.terminate()
    _say("restart", f"stopped in {stopped:.1f} s, listening after {server.seconds:.1f} s")
    _say("first answers", f"a path after {reading:.2f} s, a write {writing:.2f} s later")


def _caught_up(client: Client) -> int:
    """Wait until the views of the book stand at its head, and return that."""
    until = time.monotonic() + CALL_SECONDS
    while (head := client.get_head()).views_position < head.position:
        assert time.monotonic() < until, head
        time.sleep(0.1)
    return head.position


def _refused(client: Client) -> str:
    """Ask for what must be refused, since it stands: deciding that takes the writer."""
    try:
        client.register_party(STATE, PARTY_KIND_SHOP)
    except RefusedError as error:
        return error.reason
    return ""


def _rebuild(store: Store, events: int) -> None:
    """Make the views anew, without a server, and hold them against those that were carried along."""
    before = fingerprints(store)
    seconds, done = _seconds(
        lambda: subprocess.run(
            [*PATHBOOK, "views", "rebuild", *store.arguments()], check=True, capture_output=True
        )
    )
    same("the exit code of the rebuild", done.returncode, 0)
    after = fingerprints(store)
    same("views made anew", after, before)
    rows = sum(count for count, _ in after.values())
    _say(
        "rebuild",
        f"{seconds:,.0f} s, {events / seconds:,.0f} events a second; {rows:,} rows as before, byte for byte",
    )


def _seconds(work: Callable[[], Done]) -> tuple[float, Done]:
    begin = time.perf_counter()
    done = work()
    return time.perf_counter() - begin, done


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    _say(what, f"{time.perf_counter() - begin:,.0f} s")


def _say(what: str, found: str) -> None:
    print(f"{what}: {found}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.decade",
        description=(__doc__ or "").splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--lines", type=int, default=2_000_000, help="how many lines to make")
    add("--lines-a-table", type=int, default=LINES_A_TABLE, help="how many of them in each table")
    add(
        "--seed", type=int, default=2012, help="of the lines, the moments of the kills, and the bottles drawn"
    )
    add("--tables", type=Path, help="a directory of Parquet files to take instead")
    add("--directory", type=Path, help="an empty directory to work in, kept afterwards; else a temporary one")
    add("--database", default="", help="the URL of an empty PostgreSQL database; else files of SQLite")
    add("--kills", type=int, default=2, help="how often server and importer are killed")
    add("--serve", action="append", default=[], metavar="OPTION", help="an option for pathbook serve, too")
    return parser


if __name__ == "__main__":
    main()
