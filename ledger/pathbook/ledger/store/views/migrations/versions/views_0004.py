"""An index finds the offers of all books whose deadline has passed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the index. The contents of the views stay."""
    op.create_index(
        "offer_due",
        "transfer",
        ["deadline", "book"],
        unique=False,
        sqlite_where=sa.text("status = 1 AND deadline IS NOT NULL"),
        postgresql_where=sa.text("status = 1 AND deadline IS NOT NULL"),
    )
