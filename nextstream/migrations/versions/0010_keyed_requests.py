"""Requests that carried an idempotency key, whatever they create; when imports were sent for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table; an upload that was begun under a key of its own isn't found by it any more."""
    with op.batch_alter_table("uploads") as uploads:
        uploads.drop_constraint("uq_uploads_owner_id_idempotency_key", type_="unique")
        uploads.drop_column("idempotency_key")
        uploads.drop_column("fingerprint")
        uploads.add_column(sa.Column("sent_at", sa.DateTime(timezone=True)))
    op.create_table(
        "keyed_requests",
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("owner_id", "key_hash", name="pk_keyed_requests"),
    )
    op.create_index("ix_keyed_requests_created_at", "keyed_requests", ["created_at"])
