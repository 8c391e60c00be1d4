"""Finding a unit's past in the views: the walk along its runs, how far a run reached, the case around it."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, FromClause, bindparam

from ledger.store.tables import CASE_RANGE, PACKED_CASE, RUN


class PastRow(NamedTuple):
    """A run of a unit's past, or (where ``valid_to`` is None) its present one; columns as in RUN."""

    first: int
    last: int
    valid_from: int
    valid_to: int | None
    position: int
    origin: int
    previous: int
    previous_origin: int
    owner: str
    custodian: str
    state: int
    transfer: int
    head: bytes


def walk(connection: Connection, book: str, batch: int, number: int) -> list[PastRow]:
    """Return the runs that the events of a unit's past made, the present one first, as the views know it."""
    found = connection.execute(_WALK, {"book": book, "batch": batch, "number": number})
    return list(map(PastRow._make, found))


def extent(
    connection: Connection, book: str, batch: int, number: int, row: PastRow, as_of: int
) -> tuple[int, int]:
    """Return the first and last unit of the run in a past row, as later events up to a position had left it."""
    asked = {
        "book": book,
        "batch": batch,
        "number": number,
        "origin": row.origin,
        "position": row.position,
        "as_of": as_of,
    }
    last, before, after = connection.execute(_EXTENT, asked).one()
    return row.origin if before is None else before + 1, last if after is None else after - 1


def outermost_case(connection: Connection, book: str, batch: int, number: int) -> str:
    """Return the SSCC of the outermost case that a unit is packed in, "" for none."""
    found = connection.execute(_OUTERMOST, {"book": book, "batch": batch, "number": number}).first()
    return "" if found is None else found.sscc


def _past(runs: FromClause) -> list[sa.ColumnElement[object]]:
    return [runs.c[name] for name in PastRow._fields]


_OF_BATCH = sa.and_(RUN.c.book == bindparam("book"), RUN.c.batch == bindparam("batch"))

_PRESENT = (
    sa.select(*_past(RUN))
    .where(_OF_BATCH, RUN.c.valid_to.is_(None), RUN.c.first <= bindparam("number"))
    .order_by(RUN.c.first.desc())
    .limit(1)
)
_STEPS = sa.select(*_past(_PRESENT.subquery())).cte("steps", recursive=True)
_BEFORE = (
    sa.select(*_past(RUN))
    .select_from(_STEPS)
    .join(RUN, sa.and_(RUN.c.first == _STEPS.c.previous_origin, RUN.c.valid_from == _STEPS.c.previous))
    .where(_OF_BATCH, _STEPS.c.previous > 0)
)
_STEPS = _STEPS.union_all(_BEFORE)
_WALK = sa.select(*_past(_STEPS)).order_by(_STEPS.c.position.desc())

# Whatever was cut from a run says so by its `previous`; what lies nearest to the unit on either side bounds it.
_CUT = (
    _OF_BATCH,
    RUN.c.previous == bindparam("position"),
    RUN.c.previous_origin == bindparam("origin"),
    RUN.c.valid_from == RUN.c.position,
    RUN.c.valid_from <= bindparam("as_of"),
)
_MADE = sa.select(RUN.c.last).where(
    _OF_BATCH, RUN.c.first == bindparam("origin"), RUN.c.valid_from == bindparam("position")
)
_CUT_BEFORE = (
    sa.select(RUN.c.last)
    .where(*_CUT, RUN.c.first >= bindparam("origin"), RUN.c.first < bindparam("number"))
    .order_by(RUN.c.first.desc())
    .limit(1)
)
_CUT_AFTER = (
    sa.select(RUN.c.first)
    .where(*_CUT, RUN.c.first > bindparam("number"), RUN.c.first <= _MADE.scalar_subquery())
    .order_by(RUN.c.first)
    .limit(1)
)
_EXTENT = sa.select(_MADE.scalar_subquery(), _CUT_BEFORE.scalar_subquery(), _CUT_AFTER.scalar_subquery())

_NEAREST = (
    sa.select(CASE_RANGE.c.sscc, CASE_RANGE.c.last)
    .where(
        CASE_RANGE.c.book == bindparam("book"),
        CASE_RANGE.c.batch == bindparam("batch"),
        CASE_RANGE.c.first <= bindparam("number"),
    )
    .order_by(CASE_RANGE.c.first.desc())
    .limit(1)
    .subquery()
)
_AROUND = (
    sa.select(PACKED_CASE.c.sscc, PACKED_CASE.c.outer)
    .select_from(_NEAREST)
    .join(PACKED_CASE, PACKED_CASE.c.sscc == _NEAREST.c.sscc)
    .where(PACKED_CASE.c.book == bindparam("book"), _NEAREST.c.last >= bindparam("number"))
    .cte("around", recursive=True)
)
_AROUND = _AROUND.union_all(
    sa.select(PACKED_CASE.c.sscc, PACKED_CASE.c.outer)
    .select_from(_AROUND)
    .join(PACKED_CASE, PACKED_CASE.c.sscc == _AROUND.c.outer)
    .where(PACKED_CASE.c.book == bindparam("book"))
)
_OUTERMOST = sa.select(_AROUND.c.sscc).where(_AROUND.c.outer.is_(None))
