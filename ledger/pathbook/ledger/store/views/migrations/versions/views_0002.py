"""The second version of the views: transfers are found by their reference alone, too."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Replace the index on references. The new one begins with the reference, and then has both sides."""
    op.drop_index("transfer_of_reference", table_name="transfer")
    op.create_index(
        "transfer_by_reference",
        "transfer",
        ["book", "reference", "giver", "receiver", "transfer", "line"],
        unique=False,
        sqlite_where=sa.text("reference <> ''"),
        postgresql_where=sa.text("reference <> ''"),
    )
