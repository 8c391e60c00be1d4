"""The column of a run's transfers is renamed to `chain`, which is the name of the field of a run."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rename the column. Its contents stay."""
    op.execute("ALTER TABLE run RENAME COLUMN way TO chain")
