"""Quotas of single accounts, and an audit log that can be cut at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; every account stays under the quotas of all."""
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("quota_bytes", sa.BigInteger()))
        accounts.add_column(sa.Column("quota_minutes", sa.Integer()))
        accounts.add_column(sa.Column("quota_uploads", sa.Integer()))
    op.create_index("ix_audit_time", "audit", ["time"])
