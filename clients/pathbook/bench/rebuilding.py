"""The phase that makes all views anew, finds the same in them, and records as much beside it."""

import time
from typing import Final

from pathbook.bench import checks, names, recording
from pathbook.bench.bench import Bench
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import parties
from pathbook.bench.plan import MOST_ENTRIES

PATHS: Final = 50
"""How many paths are compared with those from before."""


def rebuild(bench: Bench) -> None:
    """Stop the server, make the views anew, start it again, compare what it answers, and record beside it."""
    units = [bench.model.draw(bench.random) for _ in range(PATHS)]
    before = _answers(bench, units)
    bench.stop_server()
    began = time.perf_counter()
    events = bench.inside.rebuild(bench.progress("events"))
    seconds = time.perf_counter() - began
    if events != bench.head:
        raise MismatchError(names.REBUILD, f"made from {events} events, by the model {bench.head}")
    bench.figures.add(names.REBUILD, "events", events, seconds)
    bench.start_seconds.append(bench.start_server())
    if _answers(bench, units) != before:
        raise MismatchError(names.REBUILD, "stock or paths are not what they were before")
    checks.stock(bench.model, bench.client, bench.head, bench.recorded_by)
    recording.batches(bench, names.RECORD_AGAIN, MOST_ENTRIES, recording.USUAL, bench.plan.transfers)


def _answers(bench: Bench, units: list[tuple[int, int]]) -> list[bytes]:
    """Return what the server says of everybody's stock and of some units' paths."""
    stock = [line for party in parties() for line in bench.client.list_stock(party)]
    paths = [bench.client.get_path(unit, corrections=True) for unit in units]
    return [message.SerializeToString(deterministic=True) for message in (*stock, *paths)]
