"""Parties and batches have the heads of their chains. The views are rebuilt for it."""

import sqlalchemy as sa
from alembic import op

_TRACKING = sa.table("tracking", sa.column("application_name"), sa.column("notification_id"))
_REFILL = sa.table("refill", sa.column("book"), sa.column("through"))

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Empty all views and their tracking positions, because the events have what the views lack.

    REFILL keeps for each book the furthest position that its views had reached, so that they count as incomplete
    until they reach it again. An earlier step may have begun that.
    """
    connection = op.get_bind()
    names = set(sa.inspect(connection).get_table_names())
    reached = [*connection.execute(sa.select(_REFILL))]
    if _TRACKING.name in names:
        reached += connection.execute(sa.select(_TRACKING))
    through: dict[str, int] = {}
    for book, position in reached:
        through[book] = max(position, through.get(book, 0))
    for name in names - {"alembic_version"}:
        connection.execute(sa.table(name).delete())
    if through:
        rows = [{"book": book, "through": position} for book, position in through.items()]
        connection.execute(_REFILL.insert(), rows)
    for table in ("party", "batch"):
        op.add_column(table, sa.Column("head", sa.LargeBinary(), nullable=False))
        op.add_column(table, sa.Column("head_position", sa.BigInteger(), nullable=False))
