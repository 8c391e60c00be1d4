"""The phase that rebuilds all views, checks that they hold the same, and records transfers to compare the rates."""

import time
from typing import Final

from pathbook.bench import checks, names, recording
from pathbook.bench.bench import Bench
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import parties
from pathbook.bench.plan import MOST_ENTRIES

PATHS: Final = 50
"""How many paths are compared with the same paths before the rebuild."""


def rebuild(bench: Bench) -> None:
    """Stop the server, rebuild the views, start it again, compare its answers, and record transfers."""
    units = [bench.model.draw(bench.random) for _ in range(PATHS)]
    before = _answers(bench, units)
    bench.stop_server()
    began = time.perf_counter()
    events = bench.inside.rebuild(bench.progress("events"))
    seconds = time.perf_counter() - began
    if events != bench.head:
        raise MismatchError(
            names.REBUILD, f"the views were rebuilt from {events} events, the model has {bench.head}"
        )
    bench.figures.add(names.REBUILD, "events", events, seconds)
    bench.start_seconds.append(bench.start_server())
    if _answers(bench, units) != before:
        raise MismatchError(names.REBUILD, "stock or paths differ from those before the rebuild")
    checks.stock(bench.model, bench.client, bench.head, bench.phase_of_batch)
    recording.batches(bench, names.RECORD_AGAIN, MOST_ENTRIES, recording.USUAL, bench.plan.transfers)


def _answers(bench: Bench, units: list[tuple[int, int]]) -> list[bytes]:
    """Return the server's answers for the stock of all parties and the paths of some units."""
    stock = [line for party in parties() for line in bench.client.list_stock(party)]
    paths = [bench.client.get_path(unit, corrections=True) for unit in units]
    return [message.SerializeToString(deterministic=True) for message in (*stock, *paths)]
