"""The hostile mix: what one caller's small write and small read take while others send the costliest legal requests."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pathbook.bench import checks, moves, names, recording
from pathbook.bench.asking import GET_PATH
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.endurance import FIRST_AGENT, SECOND_AGENT, prepare, single_units
from pathbook.bench.load import Busy
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import FIRST_PRICE_MINOR, Goods, Move
from pathbook.client import select
from pathbook.ledger.values import MAX_QUANTITIES
from pathbook.v1.batches_pb2 import ListCodesRequest
from pathbook.v1.events_pb2 import ReadRequest
from pathbook.v1.paths_pb2 import GetPathRequest
from pathbook.v1.transfers_pb2 import (
    RecordTransferRequest,
    RecordTransferResponse,
    RecordTransfersEntry,
    RecordTransfersRequest,
    RecordTransfersResponse,
)
from pathbook.v1.values_pb2 import Receipt, Unit, UnitRange

LIST_CODES: Final = "/pathbook.v1.BatchService/ListCodes"
READ: Final = "/pathbook.v1.EventService/Read"

WANTED: Final = 999
"""How many units each quantity of a refused request names. Each number is short, and together they are many."""

WRITES: Final = "writes"
READS: Final = "reads"


class Shuttle:
    """A batch of single units that goes to and fro between two agents as a whole, one transfer after the other."""

    def __init__(self, batch: int, size: int) -> None:
        """Take a batch that the first agent owns."""
        self.batch, self.size = batch, size
        self.made: list[Move] = []
        """The moves whose requests were taken, and that the model has not made yet."""
        self._agents = FIRST_AGENT, SECOND_AGENT

    def requests(self, bench: Bench) -> Iterator[bytes]:
        """Yield the requests of further moves, without an end."""
        while True:
            self.made.append(Move(*self._agents, ((self.batch, 0, self.size - 1),), FIRST_PRICE_MINOR))
            self._agents = self._agents[1], self._agents[0]
            yield from moves.batched(BOOK, self.made[-1:], 1, bench.random)


def mix(bench: Bench) -> None:
    """Measure small calls while the server is quiet, beside hostile writes, and beside hostile reads, in turns."""
    shuttle = Shuttle(bench.model.next_batch, bench.plan.pieces)
    prepare(bench, WRITES, Goods(shuttle.batch, shuttle.size, single_units(shuttle.batch, shuttle.size)))
    for turn in range(bench.plan.mix_rounds):
        bench.begin_phase("hostile mix", turn, bench.plan.mix_rounds)
        _small_calls(bench, names.quiet, [], shuttle)
        _small_calls(
            bench, lambda small: names.beside_hostile(small, WRITES), _writes(bench, shuttle), shuttle
        )
        _small_calls(bench, lambda small: names.beside_hostile(small, READS), _reads(shuttle), shuttle)
    checks.stock(bench.model, bench.client, bench.head, bench.phase_of_batch)


def _writes(bench: Bench, shuttle: Shuttle) -> list[Busy]:
    """Return a caller that moves all single units at once, and one that names more quantities than there are units."""
    return [
        Busy(recording.RECORD_MANY, shuttle.requests(bench), streams=True),
        Busy(recording.RECORD_MANY, _refused(shuttle.batch), streams=True),
    ]


def _refused(batch: int) -> Iterator[bytes]:
    """Yield requests for units that the giver does not have, in as many quantities as a request may name."""
    units = select(quantities=[(WANTED, batch)] * MAX_QUANTITIES)
    price = moves.paid(FIRST_PRICE_MINOR)
    while True:
        entry = RecordTransferRequest(
            request_id="refused", giver=SECOND_AGENT, receiver=FIRST_AGENT, units=units, unit_price=price
        )
        yield RecordTransfersRequest(
            book=BOOK, entries=[RecordTransfersEntry(transfer=entry)]
        ).SerializeToString()


def _reads(shuttle: Shuttle) -> list[Busy]:
    """Return a caller that makes all codes of a batch, and one that reads the whole book, again and again."""
    codes = ListCodesRequest(book=BOOK, range=UnitRange(batch=shuttle.batch, first=0, last=shuttle.size - 1))
    read = ReadRequest(book=BOOK)
    return [
        Busy(method, _again(request.SerializeToString()), streams=False)
        for method, request in ((LIST_CODES, codes), (READ, read))
    ]


def _again(request: bytes) -> Iterator[bytes]:
    while True:
        yield request


def _small_calls(bench: Bench, named: Callable[[str], str], busy: Sequence[Busy], shuttle: Shuttle) -> None:
    """Record transfers of one unit and ask for paths of one unit, each one after the other, beside busy callers."""
    count = bench.plan.mix_calls
    goods = moves.draw(bench.random, bench.model.next_batch, recording.USUAL, count, hops=1)
    requests = moves.single(BOOK, goods.moves, bench.random)
    bench.commission(goods, named(names.SMALL_WRITE))
    path = GetPathRequest(book=BOOK, unit=Unit(batch=goods.batch, number=0)).SerializeToString()
    calls = [(recording.RECORD, requests), (GET_PATH, [path] * count)]
    results, answers = bench.load.calls_beside(bench.server.address, calls, busy)
    receipts = checks.receipts_of_calls(named(names.SMALL_WRITE), results[0].answers)
    made = {
        RecordTransferResponse.FromString(answer).receipt.position: move
        for answer, move in zip(results[0].answers, goods.moves, strict=True)
    }
    for receipt, move in zip(_accepted(answers), shuttle.made, strict=True):
        receipts.append(receipt)
        made[receipt.position] = move
    shuttle.made.clear()
    receipts.sort(key=lambda receipt: receipt.position)
    ordered = [made[receipt.position] for receipt in receipts]
    bench.head = checks.recorded(named(names.SMALL_WRITE), bench.model, ordered, receipts, bench.head)
    for small, result in zip((names.SMALL_WRITE, names.SMALL_READ), results, strict=True):
        bench.figures.add(named(small), "calls", count, sum(result.waits), result.waits)


def _accepted(answers: Sequence[Sequence[bytes]]) -> list[Receipt]:
    """Return the receipts of the moves to and fro. The other hostile writer is refused each time."""
    found = [[RecordTransfersResponse.FromString(answer).results[0] for answer in some] for some in answers]
    for results, expected in zip(found, ("receipt", "refusal"), strict=False):
        for result in results:
            if result.WhichOneof("result") != expected:
                raise MismatchError("hostile mix", f"a hostile write has no {expected}: {result}")
    return [result.receipt for result in found[0]] if found else []
