"""The third version of the views: the index on the runs in force has their owners, too."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Replace the index on the runs in force."""
    op.drop_index("run_present", table_name="run")
    op.create_index(
        "run_present",
        "run",
        ["book", "batch", "first", "owner"],
        unique=False,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
