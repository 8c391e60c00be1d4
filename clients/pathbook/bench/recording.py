"""The phases that write: transfers one a call and in batches, each beside its floor."""

from collections.abc import Callable, Sequence
from typing import Final

from pathbook.bench import checks, moves, names
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.echo import METHOD
from pathbook.bench.load import Answered
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import Goods, Shape
from pathbook.bench.plan import COMMITS, ENTRIES, MOST_ENTRIES, UNITS, USUAL_UNITS
from pathbook.client.bulk import BATCHES_AHEAD
from pathbook.v1.values_pb2 import Receipt

RECORD: Final = "/pathbook.v1.TransferService/RecordTransfer"
RECORD_MANY: Final = "/pathbook.v1.TransferService/RecordTransfers"

GROUP: Final = 1_000
"""How many rows the bare database is given in one transaction."""

USUAL: Final = Shape(USUAL_UNITS)
"""What a transfer moves wherever nothing else is said."""

SHAPES: Final = (
    *((entries, USUAL) for entries in ENTRIES),
    *((MOST_ENTRIES, Shape(units)) for units in reversed(UNITS) if units != USUAL_UNITS),
    *((MOST_ENTRIES, Shape(units, scattered=True)) for units in UNITS if units > 1),
)
"""What is recorded side by side: how many a batch, and what each moves; what is compared stands together."""


def calls(bench: Bench, in_flight: int, count: int) -> None:
    """Record transfers, one a call, after as many bare calls that carry the same bytes."""
    name, echoed = names.call(in_flight), names.echo(in_flight)
    goods = moves.draw(bench.random, bench.model.next_batch, USUAL, count, hops=1)
    requests = moves.single(BOOK, goods.moves, bench.random)
    bench.commission(goods, name)
    bare = bench.load.calls(bench.echo.address, METHOD, requests, in_flight)
    if bare.answers != requests:
        raise MismatchError(echoed, "an answer is not what was sent")
    bench.figures.add(echoed, "calls", count, bare.seconds, bare.waits)
    answered = bench.load.calls(bench.server.address, RECORD, requests, in_flight)
    _note(bench, name, goods, answered, checks.receipts_of_calls)


def batches(bench: Bench, name: str, entries: int, shape: Shape, transfers: int) -> Answered:
    """Record transfers of a shape, so many a batch, and return what came of it."""
    goods = moves.draw(bench.random, bench.model.next_batch, shape, transfers)
    requests = moves.batched(BOOK, goods.moves, entries, bench.random)
    bench.commission(goods, name)
    answered = bench.load.stream(bench.server.address, RECORD_MANY, requests, BATCHES_AHEAD)
    _note(bench, name, goods, answered, checks.receipts_of_batches)
    return answered


def _note(
    bench: Bench, name: str, goods: Goods, answered: Answered,
    receipts_of: Callable[[str, Sequence[bytes]], list[Receipt]],
) -> None:  # fmt: skip
    """Wait for the views, hold the answers against the model, and note what they came to."""
    views_seconds = bench.wait_for_views() - answered.sent[0]
    receipts = receipts_of(name, answered.answers)
    bench.head = checks.recorded(name, bench.model, goods.moves, receipts, bench.head)
    bench.figures.add(name, "events", len(receipts), answered.seconds, answered.waits, views_seconds)


def usual(bench: Bench) -> None:
    """Record the usual transfers in the largest batches, and note what of processors that used."""
    before = _used(bench)
    answered = batches(bench, names.RECORD, MOST_ENTRIES, USUAL, bench.plan.transfers)
    others = {name: used - before[name] for name, used in _used(bench).items()}  # the views know them by now
    bench.usage.add(bench.plan.transfers, answered.seconds, answered.cpu_seconds, others)


def _used(bench: Bench) -> dict[str, float]:
    """Return how many seconds of a processor each process has used, where anybody tells."""
    used = {name: process.cpu_seconds() for name, process in bench.processes.items()}
    return {name: seconds for name, seconds in used.items() if seconds is not None}


def usual_beside_floors(bench: Bench) -> None:
    """Record the usual transfers, with the bare database given rows of the same kind before and after."""
    groups = _floors(bench)
    usual(bench)
    for way, seconds in _floors(bench).items():
        both = [*groups[way], *seconds]
        rows = 2 * bench.plan.floor_rows
        bench.figures.add(names.floor(bench.inside.kind, way), "rows", rows, sum(both), both)
    commits = bench.inside.floor(bench.inside.floors[0], BOOK, COMMITS, 1)
    bench.figures.add(names.commits(bench.inside.kind), "rows", COMMITS, sum(commits), commits)


def _floors(bench: Bench) -> dict[str, list[float]]:
    """Return the seconds of each group of rows, for each way to give them to the bare database."""
    rows = bench.plan.floor_rows
    return {way: bench.inside.floor(way, BOOK, rows, GROUP) for way in bench.inside.floors}


def shapes(bench: Bench) -> None:
    """Take one turn of each shape."""
    transfers = dict(zip(ENTRIES, bench.plan.shape_transfers, strict=True))
    for entries, shape in SHAPES:
        batches(bench, names.shape(entries, shape), entries, shape, transfers[entries])
    checks.stock(bench.model, bench.client, bench.head, bench.recorded_by)
