"""Lookups of lists: transfers of a party or of a reference, holders of a batch, and what fills the items of a page.

Each reads rows in the order of an index, from a place on. So its cost is that of the rows it returns.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Select, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from pathbook.ledger.store.views.tables import (
    AUTHORIZATION,
    BATCH,
    HAS_REFERENCE,
    NOT_ACCEPTED,
    PRESENT,
    RECALL,
    REQUEST,
    RUN,
    TRANSFER,
)
from pathbook.ledger.values import TransferSide

_LIMIT: ColumnElement[int] = bindparam("limit")
_BOOK: ColumnElement[str] = bindparam("book")
_ONE: ColumnElement[int] = sa.literal_column("1")
_KEYS: ColumnElement[str] = bindparam("keys")


class HeldRun(NamedTuple):
    """Consecutive units of a batch with the same past, and who holds them. ``state`` is a UnitState."""

    first: int
    last: int
    owner: str
    custodian: str
    state: int


class OneOfTexts(ColumnElement[bool]):
    """The condition that a column has one of the texts in the parameter ``keys``, a JSON list."""

    inherit_cache = False
    # a boolean would be rendered as `... = 1`, for which no index is searched
    type = sa.types.NullType()  # type: ignore[assignment] # it is the type of a condition all the same

    def __init__(self, column: ColumnElement[str] | ColumnElement[int]) -> None:
        self.column = column


class _OneOfNumbers(OneOfTexts):
    """The condition that a column has one of the numbers in the parameter ``keys``, a JSON list."""

    inherit_cache = False


@compiles(OneOfTexts, "sqlite")
def _in_keys(condition: OneOfTexts, compiler: SQLCompiler, **_: object) -> str:
    keys = f"(SELECT value FROM json_each({compiler.process(_KEYS)}))"  # noqa: S608 - no text of a caller is in it
    return f"{compiler.process(condition.column)} IN {keys}"


@compiles(OneOfTexts, "postgresql")
@compiles(_OneOfNumbers, "postgresql")
def _any_of_keys(condition: OneOfTexts, compiler: SQLCompiler, **_: object) -> str:
    # an array is always searched by the index, whatever PostgreSQL knows of the table
    number = isinstance(condition, _OneOfNumbers)
    key = "CAST(key AS bigint)" if number else 'key COLLATE "C"'
    texts = f"json_array_elements_text(CAST({compiler.process(_KEYS)} AS json)) AS key"
    keys = f"ARRAY(SELECT {key} FROM {texts})"  # noqa: S608 - no text of a caller is in it
    return f"{compiler.process(condition.column)} = ANY ({keys})"


def _transfers(
    side: ColumnElement[str], *conditions: ColumnElement[bool] | sa.TextClause, newest_first: bool
) -> Select[*tuple[object, ...]]:
    """Select transfers with a party on a side, from a place on."""
    key = (TRANSFER.c.transfer, TRANSFER.c.line)
    place, last = sa.tuple_(*key), sa.tuple_(bindparam("transfer"), bindparam("line"))
    bounds = (
        (place < last, TRANSFER.c.transfer >= bindparam("bound"))
        if newest_first
        else (place > last, TRANSFER.c.transfer <= bindparam("bound"))
    )
    order = [column.desc() if newest_first else column for column in key]
    return (
        sa.select(*list(TRANSFER.c)[1:])
        .where(TRANSFER.c.book == _BOOK, side == bindparam("party"), *bounds, *conditions)
        .order_by(*order)
        .limit(_LIMIT)
    )


def _transfers_of_both(
    *conditions: ColumnElement[bool] | sa.TextClause, newest_first: bool
) -> Select[*tuple[object, ...]]:
    """Select transfers with a party on any side, from a place on."""
    sides = [
        _transfers(side, *conditions, newest_first=newest_first).subquery()
        for side in (TRANSFER.c.giver, TRANSFER.c.receiver)
    ]
    both = sa.union_all(*map(sa.select, sides)).subquery()
    key = both.c.transfer, both.c.line
    return sa.select(both).order_by(*(c.desc() if newest_first else c for c in key)).limit(_LIMIT)


def _by_side(
    *conditions: ColumnElement[bool] | sa.TextClause, newest_first: bool
) -> Mapping[TransferSide | None, Select[*tuple[object, ...]]]:
    return {
        None: _transfers_of_both(*conditions, newest_first=newest_first),
        TransferSide.GIVER: _transfers(TRANSFER.c.giver, *conditions, newest_first=newest_first),
        TransferSide.RECEIVER: _transfers(TRANSFER.c.receiver, *conditions, newest_first=newest_first),
    }


_OF_STATUS = (TRANSFER.c.status == bindparam("status"), NOT_ACCEPTED)
TRANSFERS: Final = {order: _by_side(newest_first=order) for order in (False, True)}
"""Transfers of a party in any status: by whether the newest come first, and by side (None: both)."""

TRANSFERS_OF_STATUS: Final = {order: _by_side(*_OF_STATUS, newest_first=order) for order in (False, True)}
"""The same, with one status. It is not ACCEPTED, for which there is no index: nearly all transfers are."""

NEXT_TRANSFER: Final = (
    sa.select(TRANSFER.c.transfer, TRANSFER.c.recorded_at)
    .where(TRANSFER.c.book == _BOOK, TRANSFER.c.transfer >= bindparam("transfer"))
    .order_by(TRANSFER.c.transfer)
    .limit(_ONE)
)
"""The first transfer at or after a position, and when it was recorded."""


def _under_reference(
    *conditions: ColumnElement[bool], key: Sequence[Column[str] | Column[int]]
) -> Select[*tuple[object, ...]]:
    """Select transfers with a reference, from a place on, in the order of a key."""
    last = sa.tuple_(*(bindparam(column.name, type_=column.type) for column in key))
    return (
        sa.select(*list(TRANSFER.c)[1:])
        .where(TRANSFER.c.book == _BOOK, TRANSFER.c.reference == bindparam("reference"), HAS_REFERENCE)
        .where(*conditions, sa.tuple_(*key) > last)
        .order_by(*key)
        .limit(_LIMIT)
    )


_OF_PAIR = (TRANSFER.c.receiver, TRANSFER.c.transfer, TRANSFER.c.line)
TRANSFERS_BY_REFERENCE: Final = _under_reference(key=(TRANSFER.c.giver, *_OF_PAIR))
TRANSFERS_BY_REFERENCE_OF_GIVER: Final = _under_reference(
    TRANSFER.c.giver == bindparam("giver"), key=_OF_PAIR
)

REQUESTED: Final = (
    sa.select(REQUEST.c.position)
    .where(REQUEST.c.book == _BOOK, REQUEST.c.request_hash == bindparam("request_hash"))
    .order_by(REQUEST.c.position)
)
ANY_REQUESTED: Final = sa.select(REQUEST.c.position).where(
    REQUEST.c.book == _BOOK, _OneOfNumbers(REQUEST.c.request_hash)
)

_RUN_AT = RUN.alias("run_at")
_FIRST_RUN = (
    sa.select(_RUN_AT.c.first)
    .where(
        _RUN_AT.c.book == _BOOK,
        _RUN_AT.c.batch == bindparam("batch"),
        _RUN_AT.c.valid_to.is_(None),
        _RUN_AT.c.first <= bindparam("first"),
    )
    .order_by(_RUN_AT.c.first.desc())
    .limit(_ONE)
    .scalar_subquery()
)


def _runs_in_force(columns: Iterable[str]) -> sa.Select[*tuple[object, ...]]:
    """Select columns of the runs in force that have units from ``first`` to ``last``."""
    return (
        sa.select(*(RUN.c[name] for name in columns))
        .where(
            RUN.c.book == _BOOK,
            RUN.c.batch == bindparam("batch"),
            PRESENT,
            RUN.c.first >= _FIRST_RUN,
            RUN.c.first <= bindparam("last"),
        )
        .order_by(RUN.c.first)
        .limit(_LIMIT)
    )


HELD_RUNS: Final = _runs_in_force(HeldRun._fields)
"""The runs in force that have units from ``first`` to ``last``."""

_PRESENT_RUN = (
    "first", "last", "owner", "custodian", "state", "position", "head",
    "transfer", "previous", "previous_origin", "hop", "moved_from",
)  # fmt: skip
PRESENT_RUNS: Final = _runs_in_force(_PRESENT_RUN)
"""The same runs, with what a fingerprint has of them: the columns up to ``head``, and those of HopColumns."""

AUTHORIZATIONS_OF_PARTIES: Final = (
    sa.select(*list(AUTHORIZATION.c)[1:])
    .where(AUTHORIZATION.c.book == _BOOK, OneOfTexts(AUTHORIZATION.c.party))
    .order_by(AUTHORIZATION.c.party, AUTHORIZATION.c.position)
    .limit(_LIMIT)
)
AUTHORIZATIONS_BY_UPLINES: Final = (
    sa.select(*list(AUTHORIZATION.c)[1:])
    .where(
        AUTHORIZATION.c.book == _BOOK,
        AUTHORIZATION.c.party == bindparam("party"),
        AUTHORIZATION.c.position > bindparam("after"),
        OneOfTexts(AUTHORIZATION.c.upline),
    )
    .order_by(AUTHORIZATION.c.position)
    .limit(_LIMIT)
)
RECALLS_OF_BATCHES: Final = (
    sa.select(*list(RECALL.c)[1:])
    .where(RECALL.c.book == _BOOK, _OneOfNumbers(RECALL.c.batch))
    .order_by(RECALL.c.batch, RECALL.c.position)
    .limit(_LIMIT)
)
BATCHES_OF_PRODUCT_AMONG: Final = sa.select(BATCH.c.batch).where(
    BATCH.c.book == _BOOK,
    BATCH.c.product == bindparam("product"),
    _OneOfNumbers(BATCH.c.batch),
)
BATCHES_NUMBERED: Final = sa.select(*list(BATCH.c)[1:]).where(
    BATCH.c.book == _BOOK, _OneOfNumbers(BATCH.c.batch)
)
"""The batches with some numbers."""
