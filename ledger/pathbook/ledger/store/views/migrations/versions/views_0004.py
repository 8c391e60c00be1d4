"""A batch names the key of its codes. The views are rebuilt for it."""

import sqlalchemy as sa
from alembic import op

from pathbook.ledger.store.database.engine import TEXT

_TRACKING = sa.table("tracking", sa.column("application_name"), sa.column("notification_id"))
_REFILL = sa.table("refill", sa.column("book"), sa.column("through"))

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Empty all views and their tracking positions, because the events have what the views lack.

    The old tracking positions are recorded in REFILL, so that the views count as incomplete until they reach
    them again. What REFILL has from a step before stays: views that are being rebuilt were further then.
    """
    connection = op.get_bind()
    names = set(sa.inspect(connection).get_table_names())
    stood = connection.execute(sa.select(_TRACKING)).all() if _TRACKING.name in names else []
    unfinished = set(connection.execute(sa.select(_REFILL.c.book)).scalars())
    for name in names - {"alembic_version", _REFILL.name}:
        connection.execute(sa.table(name).delete())
    more = [{"book": book, "through": through} for book, through in stood if book not in unfinished]
    if more:
        connection.execute(_REFILL.insert(), more)
    op.drop_table("batch")
    op.create_table(
        "batch",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("batch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product", TEXT, nullable=False),
        sa.Column("brand", TEXT, nullable=False),
        sa.Column("lot", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("made_on", TEXT, nullable=False),
        sa.Column("expires_on", TEXT, nullable=True),
        sa.Column("suggested_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("suggested_currency", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book", "batch"),
        sqlite_with_rowid=False,
    )
    op.create_index("batch_of_lot", "batch", ["book", "product", "lot"], unique=True)
    op.create_index("batch_of_product", "batch", ["book", "product", "batch"], unique=False)
    op.create_index("batch_of_code_key", "batch", ["code_key", "book", "batch"], unique=False)
