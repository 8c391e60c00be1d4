"""Lookups that read whole registers of a book, up to a limit. Only the answers of reports need them."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, ColumnElement, bindparam

from pathbook.ledger.store.views.tables import AUTHORIZATION, BATCH, PARTY
from pathbook.ledger.values import PartyKind

_LIMIT: ColumnElement[int] = bindparam("limit")
_BOOK: ColumnElement[str] = bindparam("book")

NUMBERS_OF_BATCHES: Final = (
    sa.select(BATCH.c.batch)
    .where(
        BATCH.c.book == _BOOK,
        sa.or_(bindparam("product", type_=sa.Text) == "", BATCH.c.product == bindparam("product")),
        sa.or_(bindparam("brand", type_=sa.Text) == "", BATCH.c.brand == bindparam("brand")),
    )
    .order_by(BATCH.c.batch)
    .limit(_LIMIT)
)
"""The numbers of the batches of a product and a brand, of all if these are ""."""

ALL_AUTHORIZATIONS: Final = (
    sa.select(*list(AUTHORIZATION.c)[1:])
    .where(AUTHORIZATION.c.book == _BOOK, AUTHORIZATION.c.position <= bindparam("through", type_=BigInteger))
    .order_by(AUTHORIZATION.c.position)
    .limit(_LIMIT)
)
"""All authorizations up to a position, also those that ended, oldest first."""

BRANDS: Final = (
    sa.select(PARTY.c.party)
    .where(PARTY.c.book == _BOOK, PARTY.c.kind == PartyKind.BRAND.value)
    .order_by(PARTY.c.party)
    .limit(_LIMIT)
)
"""The ids of the brands."""
