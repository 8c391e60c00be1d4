"""Finding a unit's past in the views: the walk along its runs, the case around it, how far a run reached."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, bindparam

from pathbook.ledger.projections.registers import BatchRow, ProductRow
from pathbook.ledger.store.database.fast_read import Reader, ReaderPool
from pathbook.ledger.store.views.lookups import POSITION
from pathbook.ledger.store.views.tables import BATCH, CASE_RANGE, PACKED_CASE, PRODUCT, RECALL, RUN


class PastRun(NamedTuple):
    """A run that an event of a unit's past made: the event's position, and the run's first unit."""

    position: int
    origin: int
    state: int
    head: bytes


class RunExtent(NamedTuple):
    """How far the run that a unit is in reaches, as later events left it, and who has it; columns as in RUN."""

    first: int
    last: int
    owner: str
    custodian: str
    transfer: int


class UnitHistory(NamedTuple):
    """What views that stand at a position, and are whole from position ``through`` on, know of a unit.

    ``recalled`` says whether any of the batch ever was, ``sscc`` is the outermost case that the unit is packed in,
    "" for none, and ``made`` are the runs that the events of its past made, oldest first.
    """

    position: int
    through: int
    is_recalled: bool
    sscc: str
    batch: BatchRow
    product: ProductRow
    extent: RunExtent
    runs: list[PastRun]


_PAST_RUN = slice(len(PastRun._fields))
_EXTENT = slice(_PAST_RUN.stop, _PAST_RUN.stop + len(RunExtent._fields))
_BATCH = slice(_EXTENT.stop, _EXTENT.stop + len(BatchRow._fields))
_PRODUCT = slice(_BATCH.stop, _BATCH.stop + len(ProductRow._fields))
_REST = slice(_PRODUCT.stop, None)


def history(reading: Reader | ReaderPool, book: str, batch: int, number: int) -> UnitHistory | None:
    """Return what the views know of a unit, None where they know no such batch, or the number is negative.

    A number beyond its batch finds the past of the last unit.
    """
    rows = reading.ask(_HISTORY, {"book": book, "batch": batch, "number": number})
    if not rows:
        return None
    rows.sort()  # by their positions
    now = rows[-1]
    return UnitHistory._make(
        (
            *now[_REST],
            BatchRow._make(now[_BATCH]),
            ProductRow._make(now[_PRODUCT]),
            RunExtent._make(now[_EXTENT]),
            [PastRun._make(row[_PAST_RUN]) for row in rows],
        )
    )


def run_extent(reading: Reader, book: str, batch: int, number: int, run: PastRun, as_of: int) -> RunExtent:
    """Return the run that an event made around a unit, as later events up to a position had left it."""
    asked = {
        "book": book,
        "batch": batch,
        "number": number,
        "origin": run.origin,
        "position": run.position,
        "as_of": as_of,
    }
    (found,) = map(RunExtent._make, reading.ask(_EXTENT_AS_OF, asked))
    return found


def _columns(of: FromClause, row: type[NamedTuple]) -> list[ColumnElement[object]]:
    return [of.c[name] for name in row._fields]


_ONE: ColumnElement[int] = sa.literal_column("1")  # written out: PostgreSQL would plan for any number
_OF_BATCH = sa.and_(RUN.c.book == bindparam("book"), RUN.c.batch == bindparam("batch"))

# Only of the present run it is asked who has it.
_STEP = [*_columns(RUN, PastRun), RUN.c.previous, RUN.c.previous_origin]
_PRESENT = (
    sa.select(*_STEP, *_columns(RUN, RunExtent))
    .where(_OF_BATCH, RUN.c.valid_to.is_(None), RUN.c.first <= bindparam("number"))
    .order_by(RUN.c.first.desc())
    .limit(_ONE)
    .subquery()
)
_STEPS = sa.select(_PRESENT).cte("steps", recursive=True)
# Unless a step back is said to be there only sometimes, here and below, SQLite expects so many that it reads the whole
# table first.
_BEFORE = (
    sa.select(*_STEP, *(sa.null().label(name) for name in RunExtent._fields))
    .select_from(_STEPS)
    .join(RUN, sa.and_(RUN.c.first == _STEPS.c.previous_origin, RUN.c.valid_from == _STEPS.c.previous))
    .where(_OF_BATCH, _STEPS.c.previous > 0)
)
_STEPS = _STEPS.union_all(_BEFORE)

_NEAREST = (
    sa.select(CASE_RANGE.c.sscc, CASE_RANGE.c.last)
    .where(
        CASE_RANGE.c.book == bindparam("book"),
        CASE_RANGE.c.batch == bindparam("batch"),
        CASE_RANGE.c.first <= bindparam("number"),
    )
    .order_by(CASE_RANGE.c.first.desc())
    .limit(_ONE)
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
    .where(PACKED_CASE.c.book == bindparam("book"), _AROUND.c.outer.is_not(None))
)
_OUTERMOST = sa.select(_AROUND.c.sscc).where(_AROUND.c.outer.is_(None)).scalar_subquery()

# All in one: on a network each statement is a way there and back. What is not of a run is said beside the present one.
_NOW = sa.and_(
    BATCH.c.book == bindparam("book"), BATCH.c.batch == bindparam("batch"), _STEPS.c.first.is_not(None)
)
_HISTORY: sa.Select[*tuple[object, ...]] = (
    sa.select(
        *_columns(_STEPS, PastRun),
        *_columns(_STEPS, RunExtent),
        *list(BATCH.c)[1:],
        *list(PRODUCT.c)[1:],
        *POSITION.selected_columns,
        sa.exists().where(RECALL.c.book == bindparam("book"), RECALL.c.batch == bindparam("batch")),
        sa.func.coalesce(_OUTERMOST, ""),
    )
    .select_from(_STEPS)
    .outerjoin(BATCH, _NOW)
    .outerjoin(PRODUCT, sa.and_(PRODUCT.c.book == BATCH.c.book, PRODUCT.c.product == BATCH.c.product))
)

# Whatever was cut from a run says so by its `previous`; what lies nearest to the unit on either side bounds it.
_PIECE = RUN.alias("piece")
_CUT = (
    _PIECE.c.book == bindparam("book"),
    _PIECE.c.batch == bindparam("batch"),
    _PIECE.c.previous == bindparam("position"),
    _PIECE.c.previous_origin == bindparam("origin"),
    _PIECE.c.valid_from == _PIECE.c.position,
    _PIECE.c.valid_from <= bindparam("as_of"),
)
_CUT_BEFORE = (
    sa.select(_PIECE.c.last + 1)
    .where(*_CUT, _PIECE.c.first >= bindparam("origin"), _PIECE.c.first < bindparam("number"))
    .order_by(_PIECE.c.first.desc())
    .limit(_ONE)
    .scalar_subquery()
)
_CUT_AFTER = (
    sa.select(_PIECE.c.first - 1)
    .where(*_CUT, _PIECE.c.first > bindparam("number"), _PIECE.c.first <= RUN.c.last)
    .order_by(_PIECE.c.first)
    .limit(_ONE)
    .correlate(RUN)
    .scalar_subquery()
)
_EXTENT_AS_OF = sa.select(
    sa.func.coalesce(_CUT_BEFORE, RUN.c.first),
    sa.func.coalesce(_CUT_AFTER, RUN.c.last),
    RUN.c.owner,
    RUN.c.custodian,
    RUN.c.transfer,
).where(_OF_BATCH, RUN.c.first == bindparam("origin"), RUN.c.valid_from == bindparam("position"))
