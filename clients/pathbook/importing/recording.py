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
from pathbook.importing.cells import CellError, Fault
from pathbook.importing.files import TableError
from pathbook.importing.identity import Occurrences, content_of, marked, request_id
from pathbook.importing.lines import Line, LineReader, Rejection
from pathbook.importing.plan import Plan
from pathbook.importing.recipe import Movement
from pathbook.importing.registering import Registered, midnight
from pathbook.importing.rejected import RejectedFile
from pathbook.importing.summary import Summary
from pathbook.importing.tables import Row, read_rows
from pathbook.ledger.codes import PrintedCode
from pathbook.v1.refusals_pb2 import RefusalReason
from pathbook.v1.transfers_pb2 import RecordTransferRequest, RecordTransfersResult, ReturnUnitsRequest
from pathbook.v1.values_pb2 import Quantity, Selection

KNOWN_OTHERWISE: Final = (
    "The row was recorded before with other cells. If it was corrected, correct the book: `pathbook transfer reverse`,"
    " or see `pathbook correct`. If it is another row, its id needs one more column."
)
"""The advice that follows a refusal because the id of a row was used before."""

PARTLY: Final = "Another transfer of the row is recorded."
"""What a file of rejected rows adds to the reason if only one of the transfers of a row was refused."""

LOT_IS_CLOSED: Final = (
    "The first import of a lot sets its size, and later imports cannot add units. Import more of the product under"
    " another lot, by the recipe. If the lot is the source, use --source."
)
"""The advice that follows a refusal because a brand has too few units of a lot."""

ENTRIES_A_BATCH: Final = 500
"""How many transfers go in one message. With so many, the cost of the message itself is negligible."""


class _Read(msgspec.Struct):
    """A row, what was read from it, its content, and which of the rows with this content it is."""

    row: Row
    line: Line | Rejection
    content: bytes = b""
    occurrence: int = 1


class _Batch(msgspec.Struct):
    """The rows that go to the book in one message, and the rejected rows between them."""

    rows: list[_Read] = msgspec.field(default_factory=list)
    entries: list[Entry] = msgspec.field(default_factory=list)


class Recorder:
    """Records one table whose plan is registered. A request id names the content of a row, and the movement.

    The outcomes of its rows are counted in `summary`, and rejected rows are written to `rejected`. With `stop`,
    reading ends at the first rejected row, and rows that were sent before are still answered and counted. `progress`
    is called with the number of bytes of the table whose rows are answered, and the number of all bytes.
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
        rejected: RejectedFile | None = None,
    ) -> None:
        self._client = client
        self._recipe = plan.recipe
        self._source = plan.source
        self._plan = plan
        self._registered = registered
        self._summary = summary
        self._stop = stop
        self._progress = progress
        self._rejected = rejected
        self._reader = LineReader(plan.recipe, plan.source.name)
        self._occurrences = Occurrences(plan.seen.repeated)
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
        for row in read_rows(self._source.path, self._recipe, self._source.stamp):
            read = self._read(row)
            batch.rows.append(read)
            if isinstance(read.line, Line):
                batch.entries += self._entries(read.line, read)
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

    def _read(self, row: Row) -> _Read:
        """Return what a row says, or why it is rejected. A row that says something is counted in any case."""
        line = self._reader.read(row)
        if isinstance(line, Rejection):
            return _Read(row, line)
        if (contradiction := self._plan.contradiction(line)) is not None:
            return _Read(row, contradiction)
        content = content_of(line, self._recipe)
        # what has an id is one row, however often the table has it
        occurrence = 1 if line.key else self._occurrences.of(content, row.before)
        return _Read(row, self._refused(line) or line, content, occurrence)

    def _refused(self, line: Line) -> Rejection | None:
        """Return why a line cannot be recorded: the registration of something that it needs was refused.

        A return needs only the lot that it names.
        """
        registered = self._registered
        if line.quantity < 0:
            reason = registered.refused_batches.get((line.gtin, line.lot)) if line.names_lot else None
            return None if reason is None else self._rejection(line, reason)
        if line.code is not None and (reason := self._other_lot(line, line.code)):
            return self._rejection(line, reason)
        reasons = [registered.refused_parties.get(player.party) for player in line.players.values()]
        reasons.append(registered.refused_products.get(line.gtin))
        reasons.append(registered.refused_batches.get((line.gtin, line.lot)))
        return next((self._rejection(line, reason) for reason in reasons if reason is not None), None)

    def _other_lot(self, line: Line, code: PrintedCode) -> str:
        """Return the fault of a line whose code is that of a unit of another lot than the line names."""
        batch = self._registered.batches.get((line.gtin, line.lot))
        if code.gtin not in (None, line.gtin):
            rule = f"is the code of a unit of {code.gtin}, and the row names {line.gtin}"
        elif batch not in (None, code.batch) and line.names_lot:
            rule = (
                f"is the code of a unit of batch {code.batch}, and lot {line.lot} of the row is batch {batch}"
            )
        else:
            return ""
        return str(
            CellError(Fault.SERIAL_CONTRADICTS, column=str(self._recipe.serial), text=code.serial, rule=rule)
        )

    def _rejection(self, line: Line, reason: str) -> Rejection:
        return Rejection(self._source.name, line.row, reason, line.line)

    def _entries(self, line: Line, read: _Read) -> list[Entry]:
        """Return the requests of a line. A return uses the movements in reverse order."""
        occurred_at = _timestamp(line.occurred_on)
        moved = list(zip(self._recipe.movements, line.prices, line.references, strict=True))
        if line.quantity < 0:
            return [
                ReturnUnitsRequest(
                    request_id=request_id(read.content, read.occurrence, movement.name),
                    occurred_at=occurred_at,
                    owner=line.players[movement.receiver].party,
                    units=self._units(line),
                )
                for movement, *_ in reversed(moved)
            ]
        units = self._units(line)
        return [
            RecordTransferRequest(
                request_id=request_id(read.content, read.occurrence, movement.name),
                occurred_at=occurred_at,
                giver=line.players[movement.giver].party,
                receiver=line.players[movement.receiver].party,
                units=units,
                unit_price=price(msgspec.structs.astuple(paid)),
                reference=reference,
            )
            for movement, paid, reference in moved
        ]

    def _units(self, line: Line) -> Selection:
        """Return the units of a line: the one with its code, or as many of its lot as it says.

        A return that names no lot takes units of any lot of its product.
        """
        if line.code is not None:
            return Selection(codes=[line.code.serial])
        if line.quantity < 0 and not line.names_lot:
            return Selection(quantities=[Quantity(count=-line.quantity, gtin=line.gtin)])
        batch = self._registered.batches.get((line.gtin, line.lot))
        if batch is None:
            raise TableError(f"{self._source.path} changed during the import. Import it again.")
        return Selection(quantities=[Quantity(count=abs(line.quantity), batch=batch)])

    def _count(self, batch: _Batch, results: Sequence[RecordTransfersResult]) -> None:
        assert len(results) == len(batch.entries), (len(results), len(batch.entries))
        each, movements = iter(results), len(self._recipe.movements)
        for read in batch.rows:
            if isinstance(read.line, Rejection):
                self._reject(read, read.line)
            else:
                self._answered(read, read.line, [next(each) for _ in range(movements)])
        if batch.rows:
            self._progress(batch.rows[-1].row.done, self._source.stamp.size)

    def _answered(self, read: _Read, line: Line, results: list[RecordTransfersResult]) -> None:
        """Count a row whose transfers the book has answered."""
        outcomes: list[bool | None] = []
        reason = ""
        for result, movement in zip(results, _in_order(self._recipe.movements, line), strict=True):
            if result.HasField("receipt"):
                outcomes.append(result.receipt.duplicate)
            else:
                outcomes.append(None)
                reason = reason or _reason(result, line, movement.giver)
        rejection = self._rejection(line, reason) if reason else None
        # the sums are by movement, and the requests of a return are in reverse order
        self._summary.count(line, outcomes if line.quantity > 0 else outcomes[::-1], rejection)
        if rejection is not None:
            partly = any(outcome is not None for outcome in outcomes)
            self._write_rejected(read, f"{reason} {PARTLY}" if partly else reason)

    def _reject(self, read: _Read, rejection: Rejection) -> None:
        self._summary.reject(rejection)
        self._write_rejected(read, rejection.reason)

    def _write_rejected(self, read: _Read, reason: str) -> None:
        if self._rejected is not None:
            self._rejected.add(read.row, marked(reason, read.content, read.occurrence))


def _in_order(movements: Sequence[Movement], line: Line) -> Sequence[Movement]:
    """Return the movements in the order of the requests of a line."""
    return movements if line.quantity > 0 else movements[::-1]


@functools.lru_cache(maxsize=1_024)
def _timestamp(day: date) -> Timestamp | None:
    return timestamp(midnight(day))


def _reason(result: RecordTransfersResult, line: Line, giver: str) -> str:
    """Return why a transfer of a line was refused. `giver` is the part of the giver."""
    refusal = result.refusal
    name = RefusalReason.Name(refusal.reason).removeprefix("REFUSAL_REASON_")
    from_brand = line.quantity > 0 and line.players[giver].party == line.brand
    closed = from_brand and refusal.reason == RefusalReason.REFUSAL_REASON_STOCK_TOO_SMALL
    if refusal.reason == RefusalReason.REFUSAL_REASON_REQUEST_ID_REUSED:
        return f"{name}: {KNOWN_OTHERWISE}"
    return f"{name}: {refusal.message}" + (f" {LOT_IS_CLOSED}" if closed else "")
