"""The phases that seal: the same transfers beside a follower that does not seal and beside one that does."""

from collections.abc import Sequence
from typing import Final

from pathbook.bench import checks, endurance, moves, names, recording
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.moves import Goods, Move
from pathbook.bench.plan import MOST_ENTRIES

SEALING_FOLLOWER: Final = "follower that seals"
"""The name of the process whose memory is measured."""

FEW_UNITS: Final = 10
MANY_UNITS: Final = 10_000_000
"""How many units two batches have, whose commissioning should cost the same."""


def first_seal(bench: Bench) -> None:
    """Seal for the first time all that was recorded, with its many runs, as after the views were rebuilt."""
    bench.wait_for_views()
    seconds = _follow(bench, seals=True)
    bench.figures.add(names.FIRST_SEAL, "seals", 1, seconds)
    bench.memory[SEALING_FOLLOWER] = bench.follower.memory()


def beside_seals(bench: Bench) -> None:
    """Record in order and scattered, each without seals and then with them."""
    for seals, in_order, scattered in (
        (False, names.UNSEALED, names.UNSEALED_SCATTERED),
        (True, names.SEALED, names.SEALED_SCATTERED),
    ):
        _follow(bench, seals=seals)
        goods = moves.in_order(bench.random, bench.model.next_batch, bench.plan.seal_in_order)
        record(
            bench, in_order, goods.moves, moves.batched(BOOK, goods.moves, MOST_ENTRIES, bench.random), goods
        )
        made = endurance.onward(bench, bench.plan.seal_transfers)
        record(bench, scattered, made, moves.batched(BOOK, made, MOST_ENTRIES, bench.random))
    for name, size in ((names.FEW_UNITS, FEW_UNITS), (names.MANY_UNITS, MANY_UNITS)):
        began = bench.wait_for_seal()
        bench.commission(Goods(bench.model.next_batch, size, []), name)
        bench.figures.add(name, "batches", 1, bench.wait_for_seal() - began)


def _follow(bench: Bench, *, seals: bool) -> float:
    """Let another follower take over. Return the seconds until it has sealed everything, if it seals."""
    bench.follower.stop()
    began = bench.start_follower(seals=seals)
    return (bench.wait_for_seal() if seals else bench.wait_for_views()) - began


def record(
    bench: Bench, name: str, made: Sequence[Move], requests: Sequence[bytes], goods: Goods | None = None,
    method: str = recording.RECORD_MANY,
    receipts_of: endurance.ReadReceipts = checks.receipts_of_batches,
) -> None:  # fmt: skip
    """Record moves, and add the rate until the views have them, and their seal if the follower seals."""
    if goods is not None:
        bench.commission(goods, name)
    result = endurance.record(bench, name, made, requests, method, receipts_of)
    done = bench.wait_for_seal() if bench.seals else bench.wait_for_views()
    bench.figures.add(name, "events", len(made), done - result.sent[0], result.waits)
