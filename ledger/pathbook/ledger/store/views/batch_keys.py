"""The keys that the batches in the views name. They are found one by one in an index, so their number is the cost."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.store.database.engine import reading
from pathbook.ledger.store.views.tables import BATCH


class BatchKey(NamedTuple):
    """The fingerprint of a key, and a batch whose codes are made with it."""

    fingerprint: bytes
    book: str
    batch: int


def batch_keys(engine: Engine) -> list[BatchKey]:
    """Return each key that some batch names, with the first such batch of a book. The views may lack newer batches.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database fails.
    """
    columns = BATCH.c.code_key, BATCH.c.book, BATCH.c.batch
    after = sa.bindparam("after", type_=sa.LargeBinary)
    first = sa.select(*columns).where(BATCH.c.code_key > after).order_by(*columns).limit(1)
    found: list[BatchKey] = []
    with reading(engine) as connection:
        while row := connection.execute(first, {"after": found[-1].fingerprint if found else b""}).first():
            found.append(BatchKey(bytes(row.code_key), row.book, row.batch))
    return found
