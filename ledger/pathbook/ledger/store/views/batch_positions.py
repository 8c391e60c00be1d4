"""Lookups of the positions of all events that the story of a batch is made of."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, Select, bindparam

from pathbook.ledger.store.views.tables import CORRECTION, RECALL, RUN

_BATCH = bindparam("batch", type_=BigInteger)
_THROUGH = bindparam("through", type_=BigInteger)

BATCH_POSITIONS: Final[tuple[Select[int], ...]] = (
    sa.select(RUN.c.position)
    .where(RUN.c.book == bindparam("book"), RUN.c.batch == _BATCH, RUN.c.position <= _THROUGH)
    .distinct(),
    *(
        sa.select(column).where(
            RECALL.c.book == bindparam("book"), RECALL.c.batch == _BATCH, column > 0, column <= _THROUGH
        )
        for column in (RECALL.c.position, RECALL.c.lifted_position)
    ),
    sa.select(CORRECTION.c.position).where(
        CORRECTION.c.book == bindparam("book"),
        CORRECTION.c.subject == bindparam("subject"),
        CORRECTION.c.position <= _THROUGH,
    ),
)
"""The positions up to one, perhaps the same more than once: of events that changed runs, recalls, and corrections.

The row of each run that an event made is kept for ever, so none is missing. Each takes the book, the batch, its subject
as `pathbook.ledger.projections.registers.corrected_batch` names it, and the last position.
"""
