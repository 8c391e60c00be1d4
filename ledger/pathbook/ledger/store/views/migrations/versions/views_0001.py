"""The first version of the views."""

import sqlalchemy as sa
from alembic import op

from pathbook.ledger.store.database.engine import TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "authorization",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("party", TEXT, nullable=False),
        sa.Column("upline", TEXT, nullable=False),
        sa.Column("tier", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("products", TEXT, nullable=False),
        sa.Column("region", TEXT, nullable=False),
        sa.Column("valid_from", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revoked_from", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("book", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("authorization_of_party", "authorization", ["book", "party", "position"], unique=False)
    op.create_table(
        "batch",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("batch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product", TEXT, nullable=False),
        sa.Column("brand", TEXT, nullable=False),
        sa.Column("lot", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("made_on", TEXT, nullable=False),
        sa.Column("expires_on", TEXT, nullable=True),
        sa.Column("suggested_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("suggested_currency", TEXT, nullable=False),
        sa.Column("suggested_per_units", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code_key", sa.LargeBinary(), nullable=False),
        sa.Column("corrected_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("head_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "batch"),
        sqlite_with_rowid=False,
    )
    op.create_index("batch_of_code_key", "batch", ["code_key", "book", "batch"], unique=False)
    op.create_index("batch_of_lot", "batch", ["book", "product", "lot"], unique=True)
    op.create_index("batch_of_product", "batch", ["book", "product", "batch"], unique=False)
    op.create_table(
        "case_range",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("batch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sscc", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("book", "batch", "first"),
        sqlite_with_rowid=False,
    )
    op.create_index("case_range_in_case", "case_range", ["book", "sscc"], unique=False)
    op.create_table(
        "correction",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "subject", "position"),
        sqlite_with_rowid=False,
    )
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
    op.create_table(
        "packed_case",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("sscc", TEXT, nullable=False),
        sa.Column("outer", TEXT, nullable=True),
        sa.Column("party", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "sscc"),
        sqlite_with_rowid=False,
    )
    op.create_index("packed_case_in_outer", "packed_case", ["book", "outer"], unique=False)
    op.create_table(
        "party",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("party", TEXT, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("corrected_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("head_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "party"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "product",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("product", TEXT, nullable=False),
        sa.Column("brand", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("suggested_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("suggested_currency", TEXT, nullable=False),
        sa.Column("suggested_per_units", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("corrected_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "product"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recall",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ranges", TEXT, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lifted_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("book", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("recall_of_batch", "recall", ["book", "batch", "position"], unique=False)
    op.create_table(
        "refill",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("through", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "request",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("request_hash", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "request_hash", "position"),
        sqlite_with_rowid=False,
    )
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
        sa.Column("chain", TEXT, nullable=False),
        sa.Column("moved_from", TEXT, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book", "batch", "first", "valid_from"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "run_present",
        "run",
        ["book", "batch", "first"],
        unique=False,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "stock",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("party", TEXT, nullable=False),
        sa.Column("batch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owned", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("in_custody", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reserved", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "party", "batch"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "stock_to_remove",
        "stock",
        ["book", "owned", "in_custody", "reserved"],
        unique=False,
        sqlite_where=sa.text("owned = 0 AND in_custody = 0 AND reserved = 0"),
        postgresql_where=sa.text("owned = 0 AND in_custody = 0 AND reserved = 0"),
    )
    op.create_table(
        "transfer",
        sa.Column("book", TEXT, nullable=False),
        sa.Column("transfer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("giver", TEXT, nullable=False),
        sa.Column("receiver", TEXT, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("currency_code", TEXT, nullable=False),
        sa.Column("per_units", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("units", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("accepted_units", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deadline", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("answered_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reversal_asked_by", TEXT, nullable=False),
        sa.Column("reversal_asked_position", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("returns_transfer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", TEXT, nullable=False),
        sa.Column("is_attested", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("book", "transfer", "line"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "offer_due",
        "transfer",
        ["deadline", "book"],
        unique=False,
        sqlite_where=sa.text("status = 1 AND deadline IS NOT NULL"),
        postgresql_where=sa.text("status = 1 AND deadline IS NOT NULL"),
    )
    op.create_index(
        "transfer_deadline",
        "transfer",
        ["book", "deadline"],
        unique=False,
        sqlite_where=sa.text("status = 1 AND deadline IS NOT NULL"),
        postgresql_where=sa.text("status = 1 AND deadline IS NOT NULL"),
    )
    op.create_index("transfer_of_giver", "transfer", ["book", "giver", "transfer", "line"], unique=False)
    op.create_index(
        "transfer_of_giver_by_status",
        "transfer",
        ["book", "giver", "status", "transfer", "line"],
        unique=False,
        sqlite_where=sa.text("status <> 2"),
        postgresql_where=sa.text("status <> 2"),
    )
    op.create_index(
        "transfer_of_receiver", "transfer", ["book", "receiver", "transfer", "line"], unique=False
    )
    op.create_index(
        "transfer_of_receiver_by_status",
        "transfer",
        ["book", "receiver", "status", "transfer", "line"],
        unique=False,
        sqlite_where=sa.text("status <> 2"),
        postgresql_where=sa.text("status <> 2"),
    )
    op.create_index(
        "transfer_of_reference",
        "transfer",
        ["book", "giver", "receiver", "reference"],
        unique=False,
        sqlite_where=sa.text("reference <> ''"),
        postgresql_where=sa.text("reference <> ''"),
    )
