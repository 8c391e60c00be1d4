"""The third version of the views: the price ladder is a report, with a table and a position of its own."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Drop the table of the ladder. A follower builds the report from the events, and nothing waits for it."""
    op.drop_table("ladder")
