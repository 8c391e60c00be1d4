"""Imports years of sales with interruptions, checks the book against DuckDB, and prints times and sizes.

``python -m tests.bench.decade --help`` lists the options. README.md beside this file describes each step.
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
from tests.bench.decade.views import disk, fingerprints, wait_for_reports

Done = TypeVar("Done")

MB: Final = 1_000_000
CALL_SECONDS: Final = 600.0
"""How long a call may take, and how long the bench waits for the views after the import."""

REPORTS_SECONDS: Final = 1_800.0
"""How long the reports may take after it. Their process stands back while the import runs."""

TENTHS: Final = 10
PATHS: Final = 200
"""For how many bottles the path is compared with the lines of the tables."""

COMMANDS: Final = 5
"""For how many of these bottles the command `pathbook verify` runs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the bench; an AssertionError at the first difference between book and tables ends it."""
    options = _parser().parse_args(arguments)
    with contextlib.ExitStack() as stack:
        here = options.directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here.mkdir(parents=True, exist_ok=True)
        tables = options.tables or here / "tables"
        if options.tables is None:
            write_tables(tables, options.lines, seed=options.seed, lines_a_table=options.lines_a_table)
        store = Store(here / "data", options.database)
        sums = stack.enter_context(contextlib.closing(Sums(tables, here)))
        chance = random.Random(options.seed)
        run = stack.enter_context(contextlib.closing(Run(store, tables, here, options.serve)))
        _bench(run, store, sums, chance, options.kills)


def _bench(run: Run, store: Store, sums: Sums, chance: random.Random, kills: int) -> None:
    lines, unreadable, unfulfilled = sums.counts()
    _print("lines", f"{lines:,} in {len(sums.sources)} tables")
    _print(
        "of these",
        f"{unreadable:,} unreadable, {unfulfilled:,} returns of bottles that the store does not have",
    )
    printed = check_summary(run.import_tables(2 * lines, kills, chance), sums, interrupted=kills > 0)
    _print(
        "imported",
        f"{printed.accepted:,} new, {printed.duplicate:,} repeated; sums equal those of the tables",
    )
    _print_import(run.watched, lines)
    with _timed("reports at the head"):
        wait_for_reports(store, REPORTS_SECONDS)
    run.update_peaks()
    _print(
        "memory of the server",
        f"{run.watched.server_peak / MB:,.0f} MB at most, of its largest process"
        f" {run.watched.process_peak / MB:,.0f}",
    )
    with Client(run.server.target, book=BOOK, timeout=CALL_SECONDS) as client:
        with _timed("views at the head"):
            client.position = _caught_up(client)
        with _timed("stock of all parties queried; equal to the tables"):
            owned = check_stock(client, sums)
        with _timed("stream of events replayed; equal to the tables"):
            replayed = check_stream(client, sums, owned)
        verified = verify_bottles(client, run.server.target, sums, chance, paths=PATHS, commands=COMMANDS)
    paths, commands = verified.paths, verified.commands
    _print("bottles", f"{len(paths)} drawn; their paths agree with the lines of the tables")
    _print(
        "path", f"p50 {statistics.median(paths):.1f} ms, p99 {statistics.quantiles(paths, n=100)[-1]:.1f} ms"
    )
    _print("pathbook verify", f"p50 {statistics.median(commands):.0f} ms, including the start of the command")
    _restart(run)
    _print_disk(store, replayed)
    _rebuild(store, replayed.events)
    print("The book agrees with the tables.")


def _print_import(watched: Watched, lines: int) -> None:
    _print(
        "import",
        f"{watched.seconds:,.0f} s, {lines / watched.seconds:,.0f} lines a second, including interruptions",
    )
    _print("killed at positions", ", ".join(f"{position:,}" for position in watched.kills) or "-")
    _print("listening again after", ", ".join(f"{seconds:.1f} s" for seconds in watched.restarts) or "-")
    _print("memory of the importer", f"{watched.importer_peak / MB:,.0f} MB at most")
    print(
        f"    {'position':>12}  {'events/s':>8}  {'views behind':>12}  {'server MB':>9}  {'importer MB':>11}"
    )
    for before, sample in _tenths(watched.samples):
        rate = (sample.position - before.position) / (sample.seconds - before.seconds)
        print(
            f"    {sample.position:>12,}  {rate:>8,.0f}  {sample.position - sample.views:>12,}"
            f"  {sample.server / MB:>9,.0f}  {sample.importer / MB:>11,.0f}"
        )


def _print_disk(store: Store, replayed: Replayed) -> None:
    log, views = disk(store)
    events = replayed.events
    _print("events", f"{events:,} of {replayed.size / events:.0f} B, {replayed.batches:,} of them batches")
    _print("log on disk", f"{log / MB:,.0f} MB, {log / events:.0f} B an event")
    _print("views on disk", f"{views / MB:,.0f} MB; with the log {(log + views) / events:.0f} B an event")


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
    """Restart the server, and measure its first answers to a read and to a write."""
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
    _print("restart", f"stopped in {stopped:.1f} s, listening after {server.seconds:.1f} s")
    _print("first answers", f"a path after {reading:.2f} s, a write {writing:.2f} s later")


def _caught_up(client: Client) -> int:
    """Wait until the views of the book are at its head, and return the head."""
    until = time.monotonic() + CALL_SECONDS
    while (head := client.get_head()).views_position < head.position:
        assert time.monotonic() < until, head
        time.sleep(0.1)
    return head.position


def _refused(client: Client) -> str:
    """Register a party that exists, and return the reason for the refusal, which the writer decides."""
    try:
        client.register_party(STATE, PARTY_KIND_SHOP)
    except RefusedError as error:
        return error.reason
    return ""


def _rebuild(store: Store, events: int) -> None:
    """Rebuild the views without a server, and compare them with the views before."""
    before = fingerprints(store)
    seconds, done = _seconds(
        lambda: subprocess.run(
            [*PATHBOOK, "views", "rebuild", *store.arguments()], check=True, capture_output=True
        )
    )
    same("the exit code of the rebuild", done.returncode, 0)
    after = fingerprints(store)
    same("rebuilt views", after, before)
    rows = sum(count for count, _ in after.values())
    _print(
        "rebuild",
        f"{seconds:,.0f} s, {events / seconds:,.0f} events a second; {rows:,} rows, identical to those before",
    )


def _seconds(work: Callable[[], Done]) -> tuple[float, Done]:
    begin = time.perf_counter()
    done = work()
    return time.perf_counter() - begin, done


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    _print(what, f"{time.perf_counter() - begin:,.0f} s")


def _print(what: str, found: str) -> None:
    print(f"{what}: {found}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.decade",
        description=(__doc__ or "").splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--lines", type=int, default=2_000_000, help="number of lines to generate")
    add("--lines-a-table", type=int, default=LINES_A_TABLE, help="number of lines in each table")
    add(
        "--seed",
        type=int,
        default=2012,
        help="seed of the lines, the times of the kills, and the drawn bottles",
    )
    add("--tables", type=Path, help="a directory of Parquet files to use instead of generated lines")
    add(
        "--directory",
        type=Path,
        help="an empty directory to work in, which is kept; by default a temporary one",
    )
    add("--database", default="", help="the URL of an empty PostgreSQL database; by default SQLite files")
    add("--kills", type=int, default=2, help="how often server and importer are killed")
    add("--serve", action="append", default=[], metavar="OPTION", help="a further option for pathbook serve")
    return parser


if __name__ == "__main__":
    main()
