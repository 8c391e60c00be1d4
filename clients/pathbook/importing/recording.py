"""The second pass over a table: each row is recorded as transfers or returns, and its outcome is counted."""

import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Final

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.client import Client
from pathbook.client.bulk import Entry
from pathbook.client.values import price, timestamp
from pathbook.importing.lines import Line, LineReader, Rejection
from pathbook.importing.plan import Plan
from pathbook.importing.registering import Registered, midnight
from pathbook.importing.summary import Summary
from pathbook.importing.tables import Row, TableError, read_rows
from pathbook.v1.refusals_pb2 import RefusalReason
from pathbook.v1.transfers_pb2 import RecordTransferRequest, RecordTransfersResult, ReturnUnitsRequest
from pathbook.v1.values_pb2 import Quantity, Selection

LOT_IS_CLOSED: Final = (
    "The first import of a lot sets its size, and later imports cannot add units. Import more of the product under"
    " another lot, by the recipe. If the lot is the source, use --source."
)
"""The advice that follows a refusal because a brand has too few units of a lot."""

ENTRIES_A_BATCH: Final = 500
"""How many transfers go in one message. With so many, the cost of the message itself is negligible."""


class _Batch(msgspec.Struct):
    """The rows that go to the book in one message, and the rejected rows between them."""

    rows: list[Line | Rejection] = msgspec.field(default_factory=list)
    entries: list[Entry] = msgspec.field(default_factory=list)


class Recorder:
    """Records one table whose plan is registered. A request id names source, row and movement.

    The outcomes of its rows are counted in `summary`. With `stop`, reading ends at the first rejected row, and rows
    that were sent before are still answered and counted. `progress` is called with the number of answered rows and
    the number of all rows.
    """

    def __init__(
        self,
        client: Client,
        plan: Plan,
        registered: Registered,
        summary: Summary,
        *,
        stop: bool,
        progress: Callable[[int, int | None], None],
    ) -> None:
        self._client = client
        self._recipe = plan.recipe
        self._source = plan.source
        self._plan = plan
        self._registered = registered
        self._summary = summary
        self._stop = stop
        self._progress = progress
        self._reader = LineReader(plan.recipe, plan.source.name)
        self._unanswered: deque[_Batch] = deque()

    def record(self) -> None:
        """Read the table again and record its rows.

        Raises:
            RefusedError: a batch as a whole was refused.
            UnreachableError: the server did not answer. Another import of the same table continues from here.
            TableError: the table can no longer be read.
        """
        for results in self._client.record_transfers(self._messages()):
            self._count(self._unanswered.popleft(), results)
        for rest in self._unanswered:
            self._count(rest, ())

    @property
    def _stopped(self) -> bool:
        return self._stop and bool(self._summary.rejected)

    def _messages(self) -> Iterator[Sequence[Entry]]:
        """Yield the entries of each batch, and keep each batch until it is answered."""
        batch = _Batch()
        for row in read_rows(self._source.path, self._recipe):
            line = self._line(row)
            batch.rows.append(line)
            if isinstance(line, Line):
                batch.entries += self._entries(line)
            elif self._stop:
                break
            if len(batch.entries) + len(self._recipe.movements) > ENTRIES_A_BATCH:
                self._unanswered.append(batch)
                yield batch.entries
                batch = _Batch()
            if self._stopped:
                break
        self._unanswered.append(batch)
        if batch.entries:
            yield batch.entries

    def _line(self, row: Row) -> Line | Rejection:
        line = self._reader.read(row)
        if isinstance(line, Rejection):
            return line
        return self._plan.contradiction(line) or self._refused(line) or line

    def _refused(self, line: Line) -> Rejection | None:
        """Return why a line cannot be recorded: the registration of something that it needs was refused.

        A return needs no registration.
        """
        if line.quantity < 0:
            return None
        registered = self._registered
        reasons = [registered.refused_parties.get(player.party) for player in line.players.values()]
        reasons.append(registered.refused_products.get(line.gtin))
        reasons.append(registered.refused_batches.get((line.gtin, line.lot)))
        return next(
            (Rejection(self._source.name, line.row, reason) for reason in reasons if reason is not None), None
        )

    def _entries(self, line: Line) -> list[Entry]:
        """Return the requests of a line. A return uses the movements in reverse order."""
        occurred_at = _timestamp(line.occurred_on)
        moved = list(zip(self._recipe.movements, line.prices, line.references, strict=True))
        if line.quantity < 0:
            given_back = Selection(quantities=[Quantity(count=-line.quantity, gtin=line.gtin)])
            return [
                ReturnUnitsRequest(
                    request_id=f"{self._source.name}:{line.row}:{movement.name}",
                    occurred_at=occurred_at,
                    owner=line.players[movement.receiver].party,
                    units=given_back,
                )
                for movement, *_ in reversed(moved)
            ]
        batch = self._registered.batches.get((line.gtin, line.lot))
        if batch is None:
            raise TableError("The table changed during the import. Import it again.")
        units = Selection(quantities=[Quantity(count=line.quantity, batch=batch)])
        return [
            RecordTransferRequest(
                request_id=f"{self._source.name}:{line.row}:{movement.name}",
                occurred_at=occurred_at,
                giver=line.players[movement.giver].party,
                receiver=line.players[movement.receiver].party,
                units=units,
                unit_price=price(msgspec.structs.astuple(paid)),
                reference=reference,
            )
            for movement, paid, reference in moved
        ]

    def _count(self, batch: _Batch, results: Sequence[RecordTransfersResult]) -> None:
        assert len(results) == len(batch.entries), (len(results), len(batch.entries))
        each, movements = iter(results), len(self._recipe.movements)
        for row in batch.rows:
            if isinstance(row, Rejection):
                self._summary.reject(row)
                continue
            of_row = [next(each) for _ in range(movements)]
            reason = next(
                (
                    _reason(result, row, movement.giver)
                    for movement, result in zip(self._recipe.movements, of_row, strict=True)
                    if result.HasField("refusal")
                ),
                "",
            )
            duplicates = [
                result.receipt.duplicate if result.HasField("receipt") else None for result in of_row
            ]
            if row.quantity < 0:
                duplicates.reverse()
            self._summary.count(
                row, duplicates, Rejection(self._source.name, row.row, reason) if reason else None
            )
        if batch.rows:
            self._progress(batch.rows[-1].row, self._plan.rows)


@functools.lru_cache(maxsize=1_024)
def _timestamp(day: date) -> Timestamp | None:
    return timestamp(midnight(day))


def _reason(result: RecordTransfersResult, line: Line, giver: str) -> str:
    """Return why a transfer of a line was refused. `giver` is the part of the giver."""
    refusal = result.refusal
    name = RefusalReason.Name(refusal.reason).removeprefix("REFUSAL_REASON_")
    from_brand = line.quantity > 0 and line.players[giver].party == line.brand
    closed = from_brand and refusal.reason == RefusalReason.REFUSAL_REASON_STOCK_TOO_SMALL
    return f"{name}: {refusal.message}" + (f" {LOT_IS_CLOSED}" if closed else "")
