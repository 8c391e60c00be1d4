"""Requests are found by a hash of their id, which takes a fifth of the space. The views are rebuilt for it."""

import sqlalchemy as sa
from alembic import op

from pathbook.ledger.store.database.engine import TEXT

_TRACKING = sa.table("tracking", sa.column("application_name"), sa.column("notification_id"))
_REFILL = sa.table("refill", sa.column("book"), sa.column("through"))

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Empty all views and their tracking positions, because no database can compute the hashes.

    The old tracking positions are recorded in REFILL, so that the views count as incomplete until they reach
    them again.
    """
    connection = op.get_bind()
    names = set(sa.inspect(connection).get_table_names())
    stood = connection.execute(sa.select(_TRACKING)).all() if _TRACKING.name in names else []
    for name in names - {"alembic_version"}:
        connection.execute(sa.table(name).delete())
    if stood:
        connection.execute(_REFILL.insert(), [{"book": book, "through": through} for book, through in stood])
    op.drop_table("request")
    op.create_table(
        "request",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("request_hash", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "request_hash", "position"),
        sqlite_with_rowid=False,
    )
