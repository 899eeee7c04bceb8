"""Who may play a video."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let videos of before be played by whoever has their address, as they could be."""
    with op.batch_alter_table("videos") as videos:
        videos.add_column(sa.Column("visibility", sa.Text(), server_default="unlisted", nullable=False))
        videos.add_column(sa.Column("ticket_epoch", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_videos_visibility_created_at_id", "videos", ["visibility", "created_at", "id"])
