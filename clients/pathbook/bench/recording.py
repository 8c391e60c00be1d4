"""The phases that write: transfers in single calls and in batches, each beside its floor."""

from collections.abc import Callable, Sequence
from typing import Final

from pathbook.bench import checks, moves, names
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.echo import METHOD
from pathbook.bench.load import LoadResult
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import Goods, Shape
from pathbook.bench.plan import COMMITS, ENTRIES, MOST_ENTRIES, UNITS, USUAL_UNITS
from pathbook.client.options import BATCHES_AHEAD
from pathbook.v1.values_pb2 import Receipt

RECORD: Final = "/pathbook.v1.TransferService/RecordTransfer"
RECORD_MANY: Final = "/pathbook.v1.TransferService/RecordTransfers"

GROUP: Final = 1_000
"""How many rows the bare database writes in one transaction."""

USUAL: Final = Shape(USUAL_UNITS)
"""The shape of a transfer by default."""

SHAPES: Final = (
    *((entries, USUAL) for entries in ENTRIES),
    *((MOST_ENTRIES, Shape(units)) for units in reversed(UNITS) if units != USUAL_UNITS),
    *((MOST_ENTRIES, Shape(units, scattered=True)) for units in UNITS if units > 1),
)
"""What is recorded to compare shapes: transfers a batch, and the shape of each. Rows to compare lie together."""


def calls(bench: Bench, in_flight: int, count: int) -> None:
    """Record transfers in single calls, after as many bare calls with the same bytes."""
    name, echo = names.call(in_flight), names.echo(in_flight)
    goods = moves.draw(bench.random, bench.model.next_batch, USUAL, count, hops=1)
    requests = moves.single(BOOK, goods.moves, bench.random)
    bench.commission(goods, name)
    bare = bench.load.calls(bench.echo.address, METHOD, requests, in_flight)
    if bare.answers != requests:
        raise MismatchError(echo, "an answer differs from its request")
    bench.figures.add(echo, "calls", count, bare.seconds, bare.waits)
    result = bench.load.calls(bench.server.address, RECORD, requests, in_flight)
    check_and_note(bench, name, goods, result, checks.receipts_of_calls)


def batches(bench: Bench, name: str, entries: int, shape: Shape, transfers: int) -> LoadResult:
    """Record transfers of a shape, with this many entries a batch, and return the result."""
    goods = moves.draw(bench.random, bench.model.next_batch, shape, transfers)
    requests = moves.batched(BOOK, goods.moves, entries, bench.random)
    bench.commission(goods, name)
    result = bench.load.stream(bench.server.address, RECORD_MANY, requests, BATCHES_AHEAD)
    check_and_note(bench, name, goods, result, checks.receipts_of_batches)
    return result


def check_and_note(
    bench: Bench, name: str, goods: Goods, result: LoadResult,
    receipts_of: Callable[[str, Sequence[bytes]], list[Receipt]],
) -> None:  # fmt: skip
    """Wait for the views, compare the answers with the model, and add the figures."""
    views_seconds = bench.wait_for_views() - result.sent[0]
    receipts = receipts_of(name, result.answers)
    bench.head = checks.recorded(name, bench.model, goods.moves, receipts, bench.head)
    bench.figures.add(name, "events", len(receipts), result.seconds, result.waits, views_seconds)


def usual(bench: Bench) -> None:
    """Record the usual transfers in the largest batches, and add the CPU time that it takes."""
    before = _cpu_seconds(bench)
    result = batches(bench, names.RECORD, MOST_ENTRIES, USUAL, bench.plan.transfers)
    # ``batches`` has waited for the views, so the time of the follower is complete
    others = {name: seconds - before[name] for name, seconds in _cpu_seconds(bench).items()}
    bench.usage.add(bench.plan.transfers, result.seconds, result.cpu_seconds, others)


def _cpu_seconds(bench: Bench) -> dict[str, float]:
    """Return the CPU seconds of each process so far, by name, if the system reports them."""
    used = {name: process.cpu_seconds() for name, process in bench.processes.items()}
    return {name: seconds for name, seconds in used.items() if seconds is not None}


def usual_beside_floors(bench: Bench) -> None:
    """Record the usual transfers. Write rows of the same kind to the bare database before and after."""
    groups = _floors(bench)
    usual(bench)
    for way, seconds in _floors(bench).items():
        both = [*groups[way], *seconds]
        rows = 2 * bench.plan.floor_rows
        bench.figures.add(names.floor(bench.inside.kind, way), "rows", rows, sum(both), both)
    commits = bench.inside.floor(bench.inside.floors[0], BOOK, COMMITS, 1)
    bench.figures.add(names.commits(bench.inside.kind), "rows", COMMITS, sum(commits), commits)


def _floors(bench: Bench) -> dict[str, list[float]]:
    """Return the seconds of each group of rows, for each way to write them to the bare database."""
    rows = bench.plan.floor_rows
    return {way: bench.inside.floor(way, BOOK, rows, GROUP) for way in bench.inside.floors}


def shapes(bench: Bench) -> None:
    """Record one turn of each shape."""
    transfers = dict(zip(ENTRIES, bench.plan.shape_transfers, strict=True))
    for entries, shape in SHAPES:
        batches(bench, names.shape(entries, shape), entries, shape, transfers[entries])
    checks.stock(bench.model, bench.client, bench.head, bench.phase_of_batch)
