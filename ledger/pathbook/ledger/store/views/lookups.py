"""Lookups in the views. Each is a statement that is built once, reads one book, and takes its keys as parameters."""

from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy import ARRAY, ColumnElement, Connection, Select, Table, bindparam

from pathbook.ledger.projections.registers import BatchRow
from pathbook.ledger.store.views.tables import (
    AUTHORIZATION,
    BATCH,
    CASE_RANGE,
    CORRECTION,
    KEY,
    PACKED_CASE,
    PARTY,
    PRODUCT,
    RECALL,
    REFILL,
    STOCK,
    TRANSFER,
)
from pathbook.ledger.store.views.tracking import TRACKING

_Key = TypeVar("_Key", str, int, bytes)

NEVER = "9999-99-99"
"""Stands for the expiry date of a batch that never expires. It sorts after every date."""


def has_key(connection: Connection, column: ColumnElement[_Key], keys: list[_Key]) -> ColumnElement[bool]:
    """Return the condition that a column has one of the keys."""
    if connection.dialect.name != "postgresql":
        return column.in_(keys)
    return column == sa.any_(sa.cast(keys, ARRAY(column.type)))  # the same statement for any number of keys


class ViewPosition(NamedTuple):
    """The position of a book's views, and the position from which on they are complete.

    Each is 0 if it is not recorded.
    """

    position: int
    through: int


class SuggestionRow(NamedTuple):
    """The lowest and the highest amount that is suggested for batches of a product, of those for as many units."""

    lowest_minor: int
    highest_minor: int
    currency_code: str
    per_units: int


class StockRow(NamedTuple):
    """What a party has of a batch."""

    batch: BatchRow
    product_name: str
    owned: int
    in_custody: int
    reserved: int


def _select(table: Table, *conditions: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    """Select all columns but the book, of one book."""
    return sa.select(*list(table.c)[1:]).where(table.c.book == bindparam("book"), *conditions)


def _page(table: Table, key: str, *conditions: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    after = table.c[key] > bindparam("after")
    return _select(table, after, *conditions).order_by(table.c[key]).limit(bindparam("limit"))


_REACHED = sa.select(TRACKING.c.notification_id).where(TRACKING.c.application_name == bindparam("book"))
_COMPLETE_FROM = sa.select(REFILL.c.through).where(REFILL.c.book == bindparam("book"))
POSITION = sa.select(
    sa.func.coalesce(_REACHED.scalar_subquery(), 0), sa.func.coalesce(_COMPLETE_FROM.scalar_subquery(), 0)
)
PARTY_NAMED = _select(PARTY, PARTY.c.party == bindparam("party"))
PARTIES = _page(PARTY, "party")
AUTHORIZATIONS = _page(AUTHORIZATION, "position", AUTHORIZATION.c.party == bindparam("party"))
KEYS_OF_PARTY = _page(KEY, "position", KEY.c.party == bindparam("party"))
PRODUCT_NAMED = _select(PRODUCT, PRODUCT.c.product == bindparam("product"))
PRODUCTS = _page(PRODUCT, "product")
BATCH_NUMBERED = _select(BATCH, BATCH.c.batch == bindparam("batch"))
BATCH_OF_LOT = _select(BATCH, BATCH.c.product == bindparam("product"), BATCH.c.lot == bindparam("lot"))
BATCHES = _page(BATCH, "batch")
BATCHES_OF_BRAND = _page(BATCH, "batch", BATCH.c.brand == bindparam("brand"))
BATCHES_OF_PRODUCT = _page(BATCH, "batch", BATCH.c.product == bindparam("product"))
CORRECTIONS_OF = _page(CORRECTION, "position", CORRECTION.c.subject == bindparam("subject"))
RECALLS = _page(RECALL, "position", RECALL.c.batch == bindparam("batch"))
CASE_NAMED = _select(PACKED_CASE, PACKED_CASE.c.sscc == bindparam("sscc"))
CASE_RANGES = _select(CASE_RANGE, CASE_RANGE.c.sscc == bindparam("sscc")).order_by(
    CASE_RANGE.c.batch, CASE_RANGE.c.first
)
PACKED_IN_BATCH = (
    sa.select(CASE_RANGE.c.first, CASE_RANGE.c.last, CASE_RANGE.c.sscc)
    .where(CASE_RANGE.c.book == bindparam("book"), CASE_RANGE.c.batch == bindparam("batch"))
    .where(CASE_RANGE.c.first > bindparam("after"))
    .order_by(CASE_RANGE.c.first)
    .limit(bindparam("limit"))
)
CASES_IN = _select(PACKED_CASE, PACKED_CASE.c.outer == bindparam("sscc")).order_by(PACKED_CASE.c.sscc)
TRANSFER_AT = _select(TRANSFER, TRANSFER.c.transfer == bindparam("transfer")).order_by(TRANSFER.c.line)
_OF_PRODUCT = sa.and_(BATCH.c.book == bindparam("book"), BATCH.c.product == bindparam("product"))
_SUGGESTED = (BATCH.c.suggested_currency, BATCH.c.suggested_per_units)
SUGGESTIONS = (  # of prices for as many units, the lowest and the highest tell whether all are the same
    sa.select(sa.func.min(BATCH.c.suggested_minor), sa.func.max(BATCH.c.suggested_minor), *_SUGGESTED)
    .where(_OF_PRODUCT)
    .group_by(*_SUGGESTED)
    .order_by(BATCH.c.suggested_per_units)
)
_EXPIRES = sa.func.coalesce(BATCH.c.expires_on, NEVER)
STOCK_OF_PARTY = (
    sa.select(*list(BATCH.c)[1:], PRODUCT.c.name, STOCK.c.owned, STOCK.c.in_custody, STOCK.c.reserved)
    .select_from(STOCK)
    .join(BATCH, sa.and_(BATCH.c.book == STOCK.c.book, BATCH.c.batch == STOCK.c.batch))
    .join(PRODUCT, sa.and_(PRODUCT.c.book == BATCH.c.book, PRODUCT.c.product == BATCH.c.product))
    .where(
        STOCK.c.book == bindparam("book"),
        STOCK.c.party == bindparam("party"),
        sa.tuple_(_EXPIRES, STOCK.c.batch)
        > sa.tuple_(bindparam("after_expiry", type_=sa.Text), bindparam("after")),
    )
    .order_by(_EXPIRES, STOCK.c.batch)
    .limit(bindparam("limit"))
)
STOCK_OF_PARTY_AND_BRAND = STOCK_OF_PARTY.where(BATCH.c.brand == bindparam("brand"))
STOCK_OF_BATCH = _select(STOCK, STOCK.c.party == bindparam("party"), STOCK.c.batch == bindparam("batch"))
