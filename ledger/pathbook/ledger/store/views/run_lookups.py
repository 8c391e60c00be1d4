"""Lookups of the runs in force: all of a batch, or those that have units of some ranges."""

import json
from collections.abc import Iterable
from itertools import starmap
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from pathbook.ledger.runs import Partition, Run
from pathbook.ledger.spans import PartialPartition
from pathbook.ledger.store.views.tables import RUN, RunRow, run_from_row
from pathbook.ledger.values import UnitRange

RANGES_PER_STATEMENT_MAX: Final = 5_000
"""How many ranges one statement looks up. It bounds how much of an answer is in memory twice."""

_COLUMNS = list(RUN.c)[1:]
_PRESENT = (
    sa.select(*_COLUMNS)
    .where(RUN.c.book == bindparam("book"), RUN.c.batch == bindparam("batch"), RUN.c.valid_to.is_(None))
    .order_by(RUN.c.first)
)

_NAMES = ", ".join(f"run.{column.name}" for column in _COLUMNS)
# A range begins within the last run that begins before it or with it. The ranges come first in the join, because
# their number is small.
_OVERLAPPING = f"""
SELECT {_NAMES} FROM given CROSS JOIN run
WHERE run.book = :book AND run.batch = given.batch AND run.valid_to IS NULL AND run.first <= given.last
AND run.first >= coalesce((
    SELECT run_at.first FROM run AS run_at
    WHERE run_at.book = :book AND run_at.batch = given.batch AND run_at.valid_to IS NULL
    AND run_at.first <= given.first ORDER BY run_at.first DESC LIMIT 1
), given.first)
"""  # noqa: S608 - only names of columns are in it
_GIVEN: Final = {
    "sqlite": """
        SELECT json_extract(value, '$[0]') AS batch, json_extract(value, '$[1]') AS first,
        json_extract(value, '$[2]') AS last FROM json_each(:ranges)
    """,
    "postgresql": """
        SELECT CAST(value->>0 AS bigint) AS batch, CAST(value->>1 AS bigint) AS first,
        CAST(value->>2 AS bigint) AS last FROM json_array_elements(CAST(:ranges AS json))
    """,
}
_LOOKUPS: Final = {
    kind: sa.text(f"WITH given AS MATERIALIZED ({given}) {_OVERLAPPING}").columns(*_COLUMNS)
    for kind, given in _GIVEN.items()
}


def load_partition(connection: Connection, book: str, batch: int) -> Partition | None:
    """Return the present partition of a batch, or None if the views hold no such batch."""
    rows = connection.execute(_PRESENT, {"book": book, "batch": batch})
    runs = [run_from_row(row) for row in starmap(RunRow, rows)]
    return Partition(batch, runs) if runs else None


def load_runs(connection: Connection, book: str, ranges: Iterable[UnitRange]) -> dict[int, PartialPartition]:
    """Return the present runs that have units of the ranges, by batch. Batches that do not exist are left out."""
    wanted = sorted(ranges)
    found: dict[int, dict[int, Run]] = {}
    for begin in range(0, len(wanted), RANGES_PER_STATEMENT_MAX):
        part = wanted[begin : begin + RANGES_PER_STATEMENT_MAX]
        chunk = json.dumps([(item.batch, item.first, item.last) for item in part])
        rows = connection.execute(_LOOKUPS[connection.dialect.name], {"book": book, "ranges": chunk})
        for row in starmap(RunRow, rows):
            of_batch = found.setdefault(row.batch, {})
            if row.first not in of_batch:  # several ranges may lie in one run
                of_batch[row.first] = run_from_row(row)
    return {
        batch: PartialPartition(batch, [run for _, run in sorted(of_batch.items())])
        for batch, of_batch in found.items()
    }
