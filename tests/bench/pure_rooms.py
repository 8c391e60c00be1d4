"""Measures what the pure rooms take for a transfer, pure and compiled in turns, in microseconds.

Run it with ``python -m tests.bench.pure_rooms`` after ``make compiled``. Each turn is a process of its own. The time is
that of the processor, so that other programs disturb it less.
"""

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from pathbook.ledger import compiled, runs
from pathbook.ledger.codec import decode, encode
from pathbook.ledger.commands import RecordTransfer
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.projections.views import ViewChanges
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.reports.ladder import LadderChanges
from pathbook.ledger.requests import digest, request_of
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import evolve
from pathbook.ledger.values import Price, Selection, UnitRange
from tests.scenario import NOON, Story

ROOT: Final = Path(__file__).resolve().parents[2]

TRANSFERS: Final = 10_000
GROUP: Final = 500
UNITS: Final = 10
TURNS: Final = 5

BEGINNING: Final = """
brand acme
agent ann
product mask 300 CNY of acme
batch L1 of mask size 1000000 made 2025-12-01 by acme
"""

STEPS: Final = ("decide", "encode", "decode", "apply to the state", "apply to the runs", "project", "ladder")


def measure() -> dict[str, float]:
    """Return the microseconds of each step for a transfer, in the median group."""
    collect_rarely()
    seconds: dict[str, list[float]] = {step: [] for step in STEPS}
    story = Story(BEGINNING)
    state, begun = story.state, len(story.events)
    partitions = {1: runs.Partition(1, list(state.partitions[1].runs))}
    for start in range(0, TRANSFERS, GROUP):
        asked = [_transfer(number * UNITS) for number in range(start, start + GROUP)]
        known = [(request_of(item.actor, item.request_id), digest(item)) for item in asked]
        views, ladder = ViewChanges({}), LadderChanges()
        clock = [time.process_time()]
        decided = [decide(state, item, NOON) for item in asked]
        clock.append(time.process_time())
        happened = [event for event in decided if not isinstance(event, Refusal)]
        stored = [
            encode(event, recorded_at=NOON, occurred_at=NOON, request=request, request_digest=told)[1]
            for event, (request, told) in zip(happened, known, strict=True)
        ]
        clock.append(time.process_time())
        events = [decode(position, data) for position, data in enumerate(stored, state.position + 1)]
        clock.append(time.process_time())
        for event in events:
            evolve(state, event)
        clock.append(time.process_time())
        changes = [runs.apply(partitions, event) for event in events]
        clock.append(time.process_time())
        for event, changed in zip(events, changes, strict=True):
            views.add(event, changed)
        clock.append(time.process_time())
        for event in events:
            ladder.add(event.event)
        clock.append(time.process_time())
        for step, (began, ended) in zip(STEPS, itertools.pairwise(clock), strict=True):
            seconds[step].append(ended - began)
    assert state.position == TRANSFERS + begun, state.position
    return {step: statistics.median(found) / GROUP * 1e6 for step, found in seconds.items()}


def _transfer(first: int) -> RecordTransfer:
    units = Selection((UnitRange(1, first, first + UNITS - 1),))
    return RecordTransfer(
        request_id=f"t{first}", giver="acme", receiver="ann", units=units, unit_price=Price(150, "CNY")
    )


def turn(ledger: Path) -> dict[str, float]:
    """Measure over the ledger in a directory, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.pure_rooms", "turn"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ledger)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure in turns, and print the least of each step: other programs on the machine only add to it."""
    if compiled.kind() != "compiled":
        sys.exit("The pure rooms are not compiled. Run `make compiled` first.")
    with tempfile.TemporaryDirectory() as directory:
        pure = Path(directory, "ledger")
        shutil.copytree(ROOT / "ledger", pure, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        turns = [(turn(pure), turn(ROOT / "ledger")) for _ in range(TURNS)]
    print(f"{'microseconds a transfer':24}{'pure':>8}{'compiled':>10}")
    sums = [0.0, 0.0]
    for step in STEPS:
        pure_least, compiled_least = (min(both[kind][step] for both in turns) for kind in (0, 1))
        sums = [sums[0] + pure_least, sums[1] + compiled_least]
        print(f"{step:24}{pure_least:8.1f}{compiled_least:10.1f}")
    print(f"{'all':24}{sums[0]:8.1f}{sums[1]:10.1f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["turn"]:
        print(json.dumps(measure()))
    else:
        main()
