"""The phases with a long past: transfers scattered over very many runs, and one unit that makes very many hops."""

from collections.abc import Callable, Sequence

from pathbook.bench import checks, moves, names, recording
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.load import LoadResult
from pathbook.bench.moves import FIRST_PRICE_MINOR, Goods, Move, Shape
from pathbook.bench.plan import MOST_ENTRIES
from pathbook.client.options import BATCHES_AHEAD
from pathbook.ledger.values import MAX_RANGES
from pathbook.v1.values_pb2 import Receipt

FIRST_AGENT, SECOND_AGENT = moves.agents(1)[0], moves.agents(2)[0]

ReadReceipts = Callable[[str, Sequence[bytes]], list[Receipt]]
"""Returns the receipts in the answers of a phase."""

LAST: int = 10
"""A tenth of the hops of one unit are measured: the last ones."""


def single_units(batch: int, size: int) -> list[Move]:
    """Return the moves that take a whole batch to the first agent, so that each unit is a run of its own."""
    ranges = [(batch, unit, unit) for parity in (0, 1) for unit in range(parity, size, 2)]
    return [
        Move(moves.BRAND, FIRST_AGENT, tuple(ranges[begin : begin + MAX_RANGES]), FIRST_PRICE_MINOR)
        for begin in range(0, size, MAX_RANGES)
    ]


def prepare(bench: Bench, phase: str, goods: Goods, entries: int = 1) -> LoadResult:
    """Commission goods and record their moves, this many a batch. Nothing is noted in the figures."""
    requests = moves.batched(BOOK, goods.moves, entries, bench.random)
    bench.commission(goods, phase)
    return record(bench, phase, goods.moves, requests)


def record(
    bench: Bench,
    phase: str,
    made: Sequence[Move],
    requests: Sequence[bytes],
    method: str = recording.RECORD_MANY,
    receipts_of: ReadReceipts = checks.receipts_of_batches,
) -> LoadResult:
    """Record moves by a method that streams, and compare the receipts with the model."""
    result = bench.load.stream(bench.server.address, method, requests, BATCHES_AHEAD)
    receipts = receipts_of(phase, result.answers)
    bench.head = checks.recorded(phase, bench.model, made, receipts, bench.head, has_others=bench.seals)
    return result


def scattered(bench: Bench) -> None:
    """Make very many runs in many batches. Then measure first hops, and beside them onward moves of random units."""
    plan = bench.plan
    size, first = plan.runs // plan.run_batches, bench.model.next_batch
    for batch in range(first, first + plan.run_batches):
        prepare(bench, names.ONWARD, Goods(batch, size, single_units(batch, size)))
        bench.progress(names.ONWARD)(batch - first + 1, plan.run_batches)
    goods = moves.draw(bench.random, bench.model.next_batch, Shape(1), plan.onward, hops=1)
    requests = moves.batched(BOOK, goods.moves, MOST_ENTRIES, bench.random)
    bench.commission(goods, names.FIRST_HOP)
    _measure(bench, names.FIRST_HOP, goods.moves, requests)
    units = bench.random.sample(range(size * plan.run_batches), plan.scattered)
    bench.scattered = [(first + unit // size, unit % size) for unit in units]
    further = onward(bench, plan.onward)
    _measure(bench, names.ONWARD, further, moves.batched(BOOK, further, MOST_ENTRIES, bench.random))


def onward(bench: Bench, count: int) -> list[Move]:
    """Return moves of this many scattered units that were not moved onward before."""
    units = [bench.scattered.pop() for _ in range(count)]
    return [
        Move(FIRST_AGENT, SECOND_AGENT, ((batch, number, number),), FIRST_PRICE_MINOR)
        for batch, number in units
    ]


def long_life(bench: Bench) -> None:
    """Let one unit go to and fro between two agents, and measure its last hops."""
    batch, hops = bench.model.next_batch, bench.plan.hops
    made = [Move(moves.BRAND, FIRST_AGENT, ((batch, 0, 0),), FIRST_PRICE_MINOR)]
    while len(made) < hops:
        to_and_fro = (FIRST_AGENT, SECOND_AGENT) if len(made) % 2 else (SECOND_AGENT, FIRST_AGENT)
        made.append(Move(*to_and_fro, ((batch, 0, 0),), FIRST_PRICE_MINOR))
    last = hops - hops // LAST
    prepare(bench, names.LONG_LIFE, Goods(batch, 1, made[:last]), MOST_ENTRIES)
    _measure(
        bench, names.LONG_LIFE, made[last:], moves.batched(BOOK, made[last:], MOST_ENTRIES, bench.random)
    )


def _measure(bench: Bench, name: str, made: Sequence[Move], requests: Sequence[bytes]) -> None:
    bench.wait_for_views()
    result = record(bench, name, made, requests)
    views_seconds = bench.wait_for_views() - result.sent[0]
    bench.figures.add(name, "events", len(made), result.seconds, result.waits, views_seconds)
