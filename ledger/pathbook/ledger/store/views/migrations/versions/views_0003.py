"""The column of the transfers that a run's units came by is called `chain`, as the run's own field is."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rename the column; what is in it stays."""
    op.execute("ALTER TABLE run RENAME COLUMN way TO chain")
