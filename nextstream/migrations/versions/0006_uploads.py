"""Uploads that come in parts."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("part_bytes", sa.Integer(), nullable=False),
        sa.Column("length", sa.BigInteger()),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("concat", sa.Text(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("fingerprint", sa.Text()),
        sa.Column("secret_hash", sa.Text()),
        sa.Column("source_url", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("token", sa.Text()),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.UniqueConstraint(
            "owner_id", "idempotency_key", name="uq_uploads_owner_id_idempotency_key"
        ),
        sa.UniqueConstraint("secret_hash", name="uq_uploads_secret_hash"),
    )
    op.create_index("ix_uploads_owner_id_stage", "uploads", ["owner_id", "stage"])
    op.create_index("ix_uploads_stage_expires_at", "uploads", ["stage", "expires_at"])
    op.create_index("ix_uploads_token", "uploads", ["token"])
