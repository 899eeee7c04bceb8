"""Which trace a video's encode and an event are parts of."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Leave it empty for what is there: it was never traced."""
    for table in ("videos", "outbox"):
        op.add_column(table, sa.Column("traceparent", sa.Text()))
