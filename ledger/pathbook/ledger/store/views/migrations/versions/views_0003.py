"""The third version of the views: a run keeps its last hop instead of its whole chain. All views are rebuilt.

The index on the runs in force has their owners, too. The price ladder is a report, with a table and a position of its
own.
"""

import sqlalchemy as sa
from alembic import op

from pathbook.ledger.store.database.engine import TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Empty all views, so that they are rebuilt, replace the table of runs, and drop that of the ladder."""
    connection = op.get_bind()
    for name in sa.inspect(connection).get_table_names():
        if name != "alembic_version":
            connection.execute(sa.table(name).delete())
    op.drop_table("ladder")
    op.drop_table("run")
    op.create_table(
        "run",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("batch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("last", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous_origin", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("custodian", TEXT, nullable=False),
        sa.Column("state", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("transfer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hop", TEXT, nullable=False),
        sa.Column("moved_from", TEXT, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book", "batch", "first", "valid_from"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "run_present",
        "run",
        ["book", "batch", "first", "owner"],
        unique=False,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
