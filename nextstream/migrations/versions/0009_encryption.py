"""The keys of encrypted videos, by version, each sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Give videos from before no key: they are in the clear."""
    with op.batch_alter_table("videos") as videos:
        videos.add_column(sa.Column("keys", sa.JSON()))
    op.execute("UPDATE videos SET keys = '{}'")
    with op.batch_alter_table("videos") as videos:
        videos.alter_column("keys", nullable=False)
