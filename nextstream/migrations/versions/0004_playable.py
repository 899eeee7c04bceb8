"""When a video became playable."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Leave the time empty for videos from before: they are ready, or become so."""
    with op.batch_alter_table("videos") as videos:
        videos.add_column(sa.Column("playable_at", sa.DateTime(timezone=True)))
