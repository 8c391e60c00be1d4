"""Exports a book of millions of moves, folds it on a cluster of Spark, asks reports there and in DuckDB, and compares.

Run it with ``python -m tests.endurance.cluster --moves 10000000``. The book is written straight into a log, and served.
The cluster is a master and two workers on this machine. Each figure is printed once what it stands for was compared.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from pathbook.client import Client
from pathbook.exporting.exporter import export
from pathbook.exporting.manifest import Export
from tests.exporting.flows import append, served
from tests.exporting.many_moves import entries
from tests.exporting.spark import cluster, environment

AT_ONCE: Final = 20_000
"""How many events are appended in one transaction."""

MOVES_PER_BATCH: Final = 50_000
"""How many moves a batch has: 10,000 pallets with five hops each."""

SAMPLE_S: Final = 0.5
PAGE_BYTES: Final = 4_096
TIMEOUT_S: Final = 7_200.0
MEGABYTE: Final = 1 << 20

FOLDING: Final = """
import sys
from pathlib import Path
from pathbook.cluster.replaying import replay, session
spark = session(sys.argv[1])
print(replay(spark, Path(sys.argv[2])).fingerprint.hex())
spark.stop()
"""

ASKING_SPARK: Final = """
import json, sys
from pathlib import Path
from pathbook.cluster.replaying import make_tables, session
from pathbook.exporting.statements import REPORTS, report
spark = session(sys.argv[1])
make_tables(spark, Path(sys.argv[2]))
print(json.dumps([[list(row) for row in spark.sql(report(name)).collect()] for name in REPORTS]))
spark.stop()
"""

ASKING_DUCKDB: Final = """
import json, sys
from pathlib import Path
from pathbook.exporting.querying import ask, opened
from pathbook.exporting.statements import REPORTS, report
with opened(Path(sys.argv[2])) as book:
    print(json.dumps([[list(row) for row in ask(book, report(name)).rows] for name in REPORTS]))
"""

T = TypeVar("T")


def measured(title: str, work: Callable[[], T], roots: Iterable[int]) -> T:
    """Do something, and print how long it takes and how much memory the processes below some others have at most."""
    stop, highest, pids = threading.Event(), 0, list(roots)

    def watch() -> None:
        nonlocal highest
        while not stop.wait(SAMPLE_S):
            highest = max(highest, resident(pids))

    watching = threading.Thread(target=watch)
    watching.start()
    begun = time.monotonic()
    try:
        return work()
    finally:
        stop.set()
        watching.join()
        print(f"{title}: {time.monotonic() - begun:.0f} s, {highest / MEGABYTE:.0f} MB", flush=True)


def resident(roots: Iterable[int]) -> int:
    """Return the bytes in memory of all processes that were started by some, directly or not, and of these."""
    parents, sizes = dict[int, int](), dict[int, int]()
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        pid = int(place.parent.name)
        parents[pid], sizes[pid] = int(fields[1]), int(fields[21]) * PAGE_BYTES
    return sum(size for pid, size in sizes.items() if set(line_of(pid, parents)) & set(roots))


def line_of(pid: int, parents: dict[int, int]) -> Iterator[int]:
    """Yield a process and those that it descends from."""
    while pid in parents:
        yield pid
        pid = parents[pid]


def ran(program: str, *arguments: str) -> Callable[[], str]:
    """Return the work of running a program in a process of its own, which returns the last line that it prints."""

    def work() -> str:
        line = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(
            line, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S, env=environment()
        )
        return done.stdout.strip().splitlines()[-1]

    return work


def write(place: Path, moves: int) -> int:
    """Write the log of a book, and return how many events it has."""
    stream, head = entries(moves, max(1, moves // MOVES_PER_BATCH)), 0
    while part := list(islice(stream, AT_ONCE)):
        append(place, part, head)
        head += len(part)
    return head


def live_fingerprint(client: Client, head: int) -> str:
    """Wait until the views of a server are at its head, and return their fingerprint."""
    until = time.monotonic() + TIMEOUT_S
    while client.get_head().views_position < head:
        assert time.monotonic() < until
        time.sleep(1)
    asking = client.with_options(timeout=TIMEOUT_S)
    asking.position = head
    found = asking.get_fingerprint()
    assert found.position == head, found
    return found.fingerprint.hex()


def run(place: Path, moves: int, memory: str) -> None:
    """Do all of it in a directory."""
    target, own = place / "export", [os.getpid()]
    with served(place / "books", follows=True) as client:
        head = measured("log written", lambda: write(place / "books", moves), own)
        found = measured("exported", lambda: export(client, target), own)
        assert found.through == head
        live = measured("views followed, and their fingerprint", lambda: live_fingerprint(client, head), own)
    size = sum(file.bytes for part in Export(target).read().ranges for file in part.files.values())
    print(f"{head} events, {found.rows['move']} moves, an export of {size / MEGABYTE:.0f} MB", flush=True)
    with cluster(place / "spark", memory) as spark:
        pids = [*own, *spark.pids()]
        folded = measured("folded on Spark", ran(FOLDING, spark.master, str(target)), pids)
        assert folded == live, (folded, live)
        on_spark = measured("reports on Spark", ran(ASKING_SPARK, spark.master, str(target)), pids)
    on_duckdb = measured("reports in DuckDB", ran(ASKING_DUCKDB, "", str(target)), own)
    assert json.loads(on_spark) == json.loads(on_duckdb)
    print(
        f"equal: views, fold on Spark {folded[:16]}; reports {hashlib.sha256(on_duckdb.encode()).hexdigest()[:16]}"
    )


def main() -> None:
    """Run with the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moves", type=int, default=1_000_000)
    parser.add_argument("--memory", default="2g", help="what each worker may give to executors")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pathbook-cluster-") as directory:
        run(Path(directory), arguments.moves, arguments.memory)


if __name__ == "__main__":
    main()
