"""Prices are for a number of units. The views are rebuilt for it."""

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
    them again. Views that were being rebuilt have to reach what REFILL said before.
    """
    connection = op.get_bind()
    names = set(sa.inspect(connection).get_table_names())
    through: dict[str, int] = {}
    for table in (_REFILL, _TRACKING):
        if table.name in names:
            for book, position in connection.execute(sa.select(table)):
                through[book] = max(position, through.get(book, 0))
    for name in names - {"alembic_version"}:
        connection.execute(sa.table(name).delete())
    if through:
        rows = [{"book": book, "through": position} for book, position in through.items()]
        connection.execute(_REFILL.insert(), rows)
    _state_units_of_prices()


def _state_units_of_prices() -> None:
    """Add the number of units that a price is for. In the ladder it is part of the key."""
    for table, name in (
        ("product", "suggested_per_units"),
        ("batch", "suggested_per_units"),
        ("transfer", "per_units"),
    ):
        op.add_column(table, sa.Column(name, sa.Integer(), autoincrement=False, nullable=False))
    op.drop_table("ladder")
    op.create_table(
        "ladder",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("batch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tier", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("currency_code", TEXT, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("per_units", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("units", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "batch", "tier", "currency_code", "amount_minor", "per_units"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ladder_to_remove",
        "ladder",
        ["book", "units"],
        unique=False,
        sqlite_where=sa.text("units = 0"),
        postgresql_where=sa.text("units = 0"),
    )
