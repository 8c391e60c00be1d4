"""Lookups of the runs in force: all of a batch, those that have units of some ranges, or those of an owner."""

import json
from collections.abc import Iterable, Mapping
from itertools import starmap
from operator import attrgetter
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from pathbook.ledger.run import Run
from pathbook.ledger.runs import Partition
from pathbook.ledger.spans import PartialPartition, merged
from pathbook.ledger.store.database.given_rows import KINDS, given_rows, joined
from pathbook.ledger.store.views.tables import RUN, RunRow, run_from_row
from pathbook.ledger.values import MAX_BATCH_SIZE, UnitRange, is_owner

ROWS_PER_STATEMENT_MAX: Final = 5_000
"""How many ranges or owners one statement looks up. It bounds how much of an answer is in memory twice."""

MANY: Final = 2**62
"""The count that limits nothing."""

_COLUMNS = list(RUN.c)[1:]
_PRESENT = (
    sa.select(*_COLUMNS)
    .where(RUN.c.book == bindparam("book"), RUN.c.batch == bindparam("batch"), RUN.c.valid_to.is_(None))
    .order_by(RUN.c.first)
)

_NAMES = ", ".join(f"run.{column.name}" for column in _COLUMNS)


# A range begins within the last run that begins before it or with it.
_OF_RANGE: Final = """
run.book = :book AND run.batch = given.batch AND run.valid_to IS NULL AND run.first <= given.last
AND run.first >= coalesce((
    SELECT run_at.first FROM run AS run_at
    WHERE run_at.book = :book AND run_at.batch = given.batch AND run_at.valid_to IS NULL
    AND run_at.first <= given.first ORDER BY run_at.first DESC LIMIT 1
), given.first)
"""
# The index has the owner, so other runs are passed over without their rows. Those of this owner are then found by
# their primary key.
_OF_OWNER: Final = f"""
found.book = :book AND found.batch = bounded.batch AND found.valid_to IS NULL AND found.owner = bounded.owner
AND found.first >= bounded.first AND found.first < coalesce(bounded.bound, {MAX_BATCH_SIZE})
"""
_BY_KEY: Final = """
run.book = :book AND run.batch = found.batch AND run.first = found.first AND run.valid_from = found.valid_from
"""
_BOUNDED = """
SELECT batch, owner, first, (
    SELECT run_at.first FROM run AS run_at
    WHERE run_at.book = :book AND run_at.batch = given.batch AND run_at.valid_to IS NULL
    AND run_at.owner = given.owner AND run_at.first >= given.first ORDER BY run_at.first LIMIT 1 OFFSET :count
) AS bound FROM given
"""


def _of_ranges(kind: str) -> str:
    """Return the statement that reads the runs of ranges."""
    given = given_rows(kind, batch="bigint", first="bigint", last="bigint")
    return f"WITH {given} {joined(kind, 'given', 'run', _NAMES, _OF_RANGE)} LIMIT :count"


def _of_owners(kind: str) -> str:
    """Return the statement that reads the runs of owners."""
    given = given_rows(kind, batch="bigint", owner="text", first="bigint")
    keys = "found.batch, found.first, found.valid_from"
    owned = joined(kind, "bounded", "run AS found", keys, _OF_OWNER)
    return (
        f"WITH {given}, bounded AS MATERIALIZED ({_BOUNDED}), found AS MATERIALIZED ({owned})"
        f" {joined(kind, 'found', 'run', _NAMES, _BY_KEY)}"
    )


_RUNS_OF_RANGES: Final = {kind: sa.text(_of_ranges(kind)).columns(*_COLUMNS) for kind in KINDS}
_RUNS_OF_OWNERS: Final = {kind: sa.text(_of_owners(kind)).columns(*_COLUMNS) for kind in KINDS}


def load_partition(connection: Connection, book: str, batch: int) -> Partition | None:
    """Return the present partition of a batch, or None if the views hold no such batch."""
    rows = connection.execute(_PRESENT, {"book": book, "batch": batch})
    runs = [run_from_row(row) for row in starmap(RunRow, rows)]
    return Partition(batch, runs) if runs else None


def load_runs(
    connection: Connection, book: str, ranges: Iterable[UnitRange], count: int = MANY
) -> dict[int, PartialPartition]:
    """Return the present runs that have units of the ranges, by batch, or about ``count`` of them if there are more.

    Batches that do not exist are left out.
    """
    wanted = sorted(ranges)
    found: dict[int, dict[int, Run]] = {}
    for begin in range(0, len(wanted), ROWS_PER_STATEMENT_MAX):
        part = wanted[begin : begin + ROWS_PER_STATEMENT_MAX]
        given = json.dumps([(item.batch, item.first, item.last) for item in part])
        parameters = {"book": book, "given": given, "count": count}
        rows = connection.execute(_RUNS_OF_RANGES[connection.dialect.name], parameters)
        for row in starmap(RunRow, rows):
            of_batch = found.setdefault(row.batch, {})
            if row.first not in of_batch:  # several ranges may lie in one run
                of_batch[row.first] = run_from_row(row)
        if sum(map(len, found.values())) >= count:
            break
    return {
        batch: PartialPartition(batch, [run for _, run in sorted(of_batch.items())])
        for batch, of_batch in found.items()
    }


def load_stocks(
    connection: Connection, book: str, stocks: Mapping[tuple[int, str], tuple[int, int]]
) -> dict[int, PartialPartition]:
    """Return present runs of owners, by batch: for each batch and owner from a unit on, at most so many."""
    wanted: dict[int, list[tuple[int, str, int]]] = {}
    for (batch, owner), (first, count) in stocks.items():
        wanted.setdefault(count, []).append((batch, owner, first))
    partitions: dict[int, PartialPartition] = {}
    for count, owners in wanted.items():
        found: dict[tuple[int, str], list[Run]] = {}
        # no such party owns anything, and not every text can be asked for
        askable = sorted(item for item in owners if is_owner(item[1]))
        for begin in range(0, len(askable), ROWS_PER_STATEMENT_MAX):
            given = json.dumps(askable[begin : begin + ROWS_PER_STATEMENT_MAX])
            parameters = {"book": book, "given": given, "count": count}
            for row in starmap(
                RunRow, connection.execute(_RUNS_OF_OWNERS[connection.dialect.name], parameters)
            ):
                found.setdefault((row.batch, row.owner), []).append(run_from_row(row))
        for batch, owner, _ in owners:
            runs = sorted(found.get((batch, owner), []), key=attrgetter("first"))
            stock = PartialPartition(batch, runs)
            stock.stock_ends[owner] = runs[-1].first + 1 if len(runs) == count else MAX_BATCH_SIZE
            merged_stock = merged(partitions.get(batch), stock)
            assert isinstance(merged_stock, PartialPartition)
            partitions[batch] = merged_stock
    return partitions
