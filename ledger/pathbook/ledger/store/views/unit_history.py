"""The history of a unit in the views: its runs one after the other, the case around it, and the extent of its run.

A run is a range of units with the same past. A case may hold only a part of it, so the packed ranges next to the
unit are read, too.
"""

from operator import itemgetter
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, bindparam

from pathbook.ledger.projections.registers import BatchRow, ProductRow
from pathbook.ledger.store.database.damage import SCHEMAS
from pathbook.ledger.store.database.fast_read import Reader, ReaderPool
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.views.lookups import POSITION
from pathbook.ledger.store.views.tables import BATCH, CASE_RANGE, PACKED_CASE, PRODUCT, RECALL, RUN


class PastRun(NamedTuple):
    """A run that an event of a unit's history made: the position of the event, and the first unit of the run.

    The other columns are as in RUN.
    """

    position: int
    origin: int
    state: int
    owner: str
    custodian: str
    head: bytes


class RunExtent(NamedTuple):
    """The range of the run that a unit is in, as later events left it, and its transfer. Columns are as in RUN."""

    first: int
    last: int
    transfer: int


class PackedRanges(NamedTuple):
    """The packed ranges next to a unit in its batch: the last that begins at or before it, and the next one.

    ``first`` and ``last`` are the units of the one before, and ``next_first`` is where the one after begins. Each
    is None if there is none.
    """

    first: int | None
    last: int | None
    next_first: int | None


class UnitHistory(NamedTuple):
    """What the views at a position know of a unit. They are complete from position ``through`` on.

    ``is_recalled`` says whether units of the batch were ever recalled. ``sscc`` is the outermost case that
    the unit is packed in, or "" if there is none. ``packed`` tells which units around it are in no case, or in the
    same range of the same case. ``runs`` are the runs that the events of its history made,
    oldest first. ``events`` are the bytes of these events, or None if they were not read with them.
    """

    position: int
    through: int
    is_recalled: bool
    sscc: str
    packed: PackedRanges
    batch: BatchRow
    product: ProductRow
    extent: RunExtent
    runs: list[PastRun]
    events: list[bytes] | None


_POSITION: Final = itemgetter(0)
_PAST_RUN = slice(len(PastRun._fields))
_EXTENT = slice(_PAST_RUN.stop, _PAST_RUN.stop + len(RunExtent._fields))
_BATCH = slice(_EXTENT.stop, _EXTENT.stop + len(BatchRow._fields))
_PRODUCT = slice(_BATCH.stop, _BATCH.stop + len(ProductRow._fields))
_PACKED = slice(_PRODUCT.stop, _PRODUCT.stop + len(PackedRanges._fields))
_REST = slice(_PACKED.stop, _PACKED.stop + 4)
_EVENT = _REST.stop


def history(
    reader: Reader | ReaderPool, book: str, batch: int, number: int, *, with_events: bool = False
) -> UnitHistory | None:
    """Return the history of a unit. None if the views hold no such batch, or if the number is negative.

    A number beyond its batch finds the history of the last unit. ``with_events`` reads the events by the same
    statement. The log must then be in the same database, and its events are not compared with their kept hashes.
    """
    lookup = _HISTORY_WITH_EVENTS if with_events else _HISTORY
    rows = reader.ask(lookup, {"book": book, "batch": batch, "number": number})
    if not rows:
        return None
    rows.sort(key=_POSITION)
    present = rows[-1]
    events = [row[_EVENT] for row in rows] if with_events else [None]
    return UnitHistory._make(
        (
            *present[_REST],
            PackedRanges._make(present[_PACKED]),
            BatchRow._make(present[_BATCH]),
            ProductRow._make(present[_PRODUCT]),
            RunExtent._make(present[_EXTENT]),
            [PastRun._make(row[_PAST_RUN]) for row in rows],
            None if None in events else events,
        )
    )


def run_extent(reader: Reader, book: str, batch: int, number: int, run: PastRun, as_of: int) -> RunExtent:
    """Return the extent of the run that an event made around a unit, as of a later position."""
    parameters = {
        "book": book,
        "batch": batch,
        "number": number,
        "origin": run.origin,
        "position": run.position,
        "as_of": as_of,
    }
    (found,) = map(RunExtent._make, reader.ask(_EXTENT_AS_OF, parameters))
    return found


def _columns(source: FromClause, row: type[NamedTuple]) -> list[ColumnElement[object]]:
    return [source.c[name] for name in row._fields]


# A literal, because PostgreSQL plans a parameter for any number.
_ONE: ColumnElement[int] = sa.literal_column("1")
_OF_BATCH = sa.and_(RUN.c.book == bindparam("book"), RUN.c.batch == bindparam("batch"))

# The extent is read for the present run only.
_STEP = [*_columns(RUN, PastRun), RUN.c.previous, RUN.c.previous_origin]
_PRESENT = (
    sa.select(*_STEP, *_columns(RUN, RunExtent))
    .where(_OF_BATCH, RUN.c.valid_to.is_(None), RUN.c.first <= bindparam("number"))
    .order_by(RUN.c.first.desc())
    .limit(_ONE)
    .subquery()
)
_STEPS = sa.select(_PRESENT).cte("steps", recursive=True)
# The condition on `previous` here, and on `outer` below, tells SQLite that a further step is rare. Without it
# SQLite expects so many steps that it reads the whole table first.
_BEFORE = (
    sa.select(*_STEP, *(sa.null().label(name) for name in RunExtent._fields))
    .select_from(_STEPS)
    .join(RUN, sa.and_(RUN.c.first == _STEPS.c.previous_origin, RUN.c.valid_from == _STEPS.c.previous))
    .where(_OF_BATCH, _STEPS.c.previous > 0)
)
_STEPS = _STEPS.union_all(_BEFORE)

_PACKED_OF_BATCH = sa.and_(CASE_RANGE.c.book == bindparam("book"), CASE_RANGE.c.batch == bindparam("batch"))
_NEAREST = (
    sa.select(CASE_RANGE.c.sscc, CASE_RANGE.c.first, CASE_RANGE.c.last)
    .where(_PACKED_OF_BATCH, CASE_RANGE.c.first <= bindparam("number"))
    .order_by(CASE_RANGE.c.first.desc())
    .limit(_ONE)
)
_NEAREST_RANGE = _NEAREST.subquery()
_NEXT_FIRST = (
    sa.select(CASE_RANGE.c.first)
    .where(_PACKED_OF_BATCH, CASE_RANGE.c.first > bindparam("number"))
    .order_by(CASE_RANGE.c.first)
    .limit(_ONE)
    .scalar_subquery()
)
_CASES_AROUND = (
    sa.select(PACKED_CASE.c.sscc, PACKED_CASE.c.outer)
    .select_from(_NEAREST_RANGE)
    .join(PACKED_CASE, PACKED_CASE.c.sscc == _NEAREST_RANGE.c.sscc)
    .where(PACKED_CASE.c.book == bindparam("book"), _NEAREST_RANGE.c.last >= bindparam("number"))
    .cte("around", recursive=True)
)
_CASES_AROUND = _CASES_AROUND.union_all(
    sa.select(PACKED_CASE.c.sscc, PACKED_CASE.c.outer)
    .select_from(_CASES_AROUND)
    .join(PACKED_CASE, PACKED_CASE.c.sscc == _CASES_AROUND.c.outer)
    .where(PACKED_CASE.c.book == bindparam("book"), _CASES_AROUND.c.outer.is_not(None))
)
_OUTERMOST = sa.select(_CASES_AROUND.c.sscc).where(_CASES_AROUND.c.outer.is_(None)).scalar_subquery()

# One statement reads everything, because on a network each statement costs a round trip. Columns that do not
# belong to a run are filled only in the row of the present run.
_PRESENT_ROW = sa.and_(
    BATCH.c.book == bindparam("book"), BATCH.c.batch == bindparam("batch"), _STEPS.c.first.is_not(None)
)
_HISTORY: sa.Select[*tuple[object, ...]] = (
    sa.select(
        *_columns(_STEPS, PastRun),
        *_columns(_STEPS, RunExtent),
        *list(BATCH.c)[1:],
        *list(PRODUCT.c)[1:],
        _NEAREST.with_only_columns(CASE_RANGE.c.first).scalar_subquery(),
        _NEAREST.with_only_columns(CASE_RANGE.c.last).scalar_subquery(),
        _NEXT_FIRST,
        *POSITION.selected_columns,
        sa.exists().where(RECALL.c.book == bindparam("book"), RECALL.c.batch == bindparam("batch")),
        sa.func.coalesce(_OUTERMOST, ""),
    )
    .select_from(_STEPS)
    .outerjoin(BATCH, _PRESENT_ROW)
    .outerjoin(PRODUCT, sa.and_(PRODUCT.c.book == BATCH.c.book, PRODUCT.c.product == BATCH.c.product))
)

# An event that is missing leaves NULL, and is named by the read that looks for it. A subquery always searches by the
# whole key, where PostgreSQL would plan a join by how many events there were when it last counted them.
_EVENT_IN_LOG = EVENT.to_metadata(sa.MetaData(), schema=SCHEMAS["events"])
_HISTORY_WITH_EVENTS = _HISTORY.add_columns(
    sa.select(_EVENT_IN_LOG.c.state)
    .where(_EVENT_IN_LOG.c.book == bindparam("book"), _EVENT_IN_LOG.c.position == _STEPS.c.position)
    .scalar_subquery()
)

# A piece that was cut from a run names that run by its `previous`. The nearest piece on either side of the
# unit is the bound of the run.
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
    RUN.c.transfer,
).where(_OF_BATCH, RUN.c.first == bindparam("origin"), RUN.c.valid_from == bindparam("position"))
