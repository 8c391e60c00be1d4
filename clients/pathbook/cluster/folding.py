"""What runs on the workers of a cluster: finds the batches that an event changes, and folds the events of a batch.

Arrow tables go in and come out. The fold is that of the views: `pathbook.ledger.runs`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import pyarrow

from pathbook.ledger import runs
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, leaf_hash
from pathbook.ledger.codec.table import FIELD_OF
from pathbook.ledger.events import BatchCommissioned, RecordedEvent, TransferAccepted
from pathbook.ledger.hops import chain
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.projections.fingerprints import BatchFacts, batch_fingerprint, present_run
from pathbook.ledger.projections.registers import BatchRow
from pathbook.ledger.runs import Partition
from pathbook.ledger.values import UnitRange

READ_COLUMNS: Final = ("position", "leaf", "kind", "bytes")
"""The columns of the table `event` that are read."""

NO_BATCH: Final = 0
"""The batch of rows that tell a problem of an event. No batch has this number."""

FACTS_POSITION: Final = 0
"""The position of the row that has the facts of a batch, before all of its events."""

SPREAD: Final = pyarrow.schema(
    {
        "batch": pyarrow.int64(),
        "position": pyarrow.int64(),
        "data": pyarrow.binary(),
        "problem": pyarrow.string(),
    }
)
"""What `spread` yields: the bytes of an event for each batch that it changes, or what is wrong with an event."""

UNPACKING: Final = pyarrow.schema({"position": pyarrow.int64(), "data": pyarrow.binary()})
"""What `unpacking` yields."""

FOLDED: Final = pyarrow.schema(
    {
        "batch": pyarrow.int64(),
        "position": pyarrow.int64(),
        "fingerprint": pyarrow.binary(),
        "runs": pyarrow.int64(),
        "problem": pyarrow.string(),
    }
)
"""What `fold` returns: the fingerprint of a batch and the number of its runs, or what is wrong at a position."""

RUNS: Final = pyarrow.schema(
    {
        "batch": pyarrow.int64(),
        "first": pyarrow.int64(),
        "last": pyarrow.int64(),
        "owner": pyarrow.string(),
        "custodian": pyarrow.string(),
        "state": pyarrow.string(),
        "transfer": pyarrow.int64(),
        "position": pyarrow.int64(),
        "head": pyarrow.binary(),
        "path": pyarrow.list_(pyarrow.int64()),
    }
)
"""What `present_runs` returns. ``path`` has the transfers and sales by which the units came, oldest first."""


class Facts(msgspec.Struct, frozen=True):
    """What a fingerprint has of a batch besides its runs, in a form that is sent: see `BatchFacts`."""

    row: BatchRow
    recalls: list[tuple[int, int, int | None, tuple[UnitRange, ...]]]
    packed: list[tuple[int, int, str]]


class _ProblemError(Exception):
    """An event is not what it must be."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(problem)
        self.position = position


def spread(tables: Iterable["pyarrow.RecordBatch"]) -> Iterator["pyarrow.RecordBatch"]:
    """Yield the bytes of each event once for each batch whose runs it changes.

    An event whose bytes do not have the exported hash, or that is no event of its kind, is a problem.
    """
    for table in tables:
        rows: list[tuple[object, ...]] = []
        for row in _rows(table, READ_COLUMNS):
            try:
                recorded, data = _decoded(*row)
            except _ProblemError as error:
                rows.append((NO_BATCH, error.position, b"", str(error)))
                continue
            rows += [(batch, recorded.position, data, "") for batch in sorted(_touched(recorded))]
        yield _batch_of(rows, SPREAD)


def unpacking(tables: Iterable["pyarrow.RecordBatch"]) -> Iterator["pyarrow.RecordBatch"]:
    """Yield the acceptances that unpack cases. What is wrong with others is told by `spread`."""
    for table in tables:
        rows: list[tuple[object, ...]] = []
        for row in _rows(table, READ_COLUMNS):
            try:
                recorded, data = _decoded(*row)
            except _ProblemError:
                continue
            if isinstance(recorded.event, TransferAccepted) and recorded.event.unpacked:
                rows.append((recorded.position, data))
        yield _batch_of(rows, UNPACKING)


def fold(table: "pyarrow.Table") -> "pyarrow.Table":
    """Return the fingerprint of a batch, from the rows of `spread` for it and the row of its facts, in any order.

    It does not ask whether the events follow the rules. Events that cannot be applied at all are a problem.
    """
    number, rows = _in_order(table)
    if number == NO_BATCH:
        first = min((position, problem) for position, _, problem in rows)
        return _table_of([(number, first[0], b"", 0, first[1])], FOLDED)
    position, data, _ = rows[0]
    if position != FACTS_POSITION:
        return _table_of([(number, position, b"", 0, f"batch {number} was never made")], FOLDED)
    facts = msgspec.msgpack.decode(data, type=Facts)
    try:
        partition = _partition_of(number, rows)
    except _ProblemError as error:
        return _table_of([(number, error.position, b"", 0, str(error))], FOLDED)
    known = BatchFacts(facts.row, facts.recalls, facts.packed)
    found, count = batch_fingerprint(known, map(present_run, partition.runs))
    return _table_of([(number, rows[-1][0], found, count, "")], FOLDED)


def present_runs(table: "pyarrow.Table") -> "pyarrow.Table":
    """Return the runs of a batch with owner, custodian, head and path, from the rows of `spread` for it.

    Raises:
        ValueError: an event is not what it must be.
    """
    number, rows = _in_order(table)
    if number == NO_BATCH:
        raise ValueError(f"position {rows[0][0]}: {rows[0][2]}")
    try:
        partition = _partition_of(number, rows)
    except _ProblemError as error:
        raise ValueError(f"position {error.position}: {error}") from None
    found: list[tuple[object, ...]] = [
        (
            number, run.first, run.last, run.owner, run.custodian, run.state.name.lower(), run.transfer,
            run.position, run.head, [hop.transfer for hop in chain(run.last_hop)][::-1],
        )
        for run in partition.runs
    ]  # fmt: skip
    return _table_of(found, RUNS)


def _partition_of(number: int, rows: Iterable[tuple[int, bytes, str]]) -> Partition:
    """Return the runs of a batch after its events, which come in order."""
    partitions: dict[int, Partition] = {}
    for position, data, _ in rows:
        if position == FACTS_POSITION:
            continue
        recorded = decode(position, data)
        if isinstance(recorded.event, BatchCommissioned) is (number in partitions):
            raise _ProblemError(
                position, f"batch {number} is made twice, or its units move before it is made"
            )
        try:
            runs.apply(partitions, recorded)
        except (AssertionError, LookupError):
            raise _ProblemError(
                position, f"units of batch {number} do not follow from the events before"
            ) from None
    return partitions[number]


def _touched(recorded: RecordedEvent) -> set[int]:
    if isinstance(recorded.event, BatchCommissioned):
        return {recorded.event.batch}
    return {part.batch for part in changed_ranges(recorded.event)}


def _decoded(position: int, leaf: bytes, kind: str, data: bytes) -> tuple[RecordedEvent, bytes]:
    if leaf_hash(data) != leaf:
        raise _ProblemError(position, "its bytes do not have the hash that was exported")
    try:
        recorded = decode(position, data, leaf=leaf)
    except (MalformedEventError, NewerEventError) as error:
        raise _ProblemError(position, str(error)) from None
    if FIELD_OF[type(recorded.event)] != kind:
        raise _ProblemError(position, f"it is exported as the kind '{kind}', which it is not")
    return recorded, data


def _in_order(table: "pyarrow.Table") -> tuple[int, list[tuple[int, bytes, str]]]:
    """Return the batch of a group, and its rows by position."""
    number = table.column("batch")[0].as_py()
    columns = [table.column(name).to_pylist() for name in ("position", "data", "problem")]
    return number, sorted(zip(*columns, strict=True))


def _rows(table: "pyarrow.RecordBatch", names: Sequence[str]) -> Iterator[tuple[int, bytes, str, bytes]]:
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def _batch_of(rows: Sequence[tuple[object, ...]], schema: "pyarrow.Schema") -> "pyarrow.RecordBatch":
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _table_of(rows: Sequence[tuple[object, ...]], schema: "pyarrow.Schema") -> "pyarrow.Table":
    return pyarrow.Table.from_batches([_batch_of(rows, schema)], schema)
