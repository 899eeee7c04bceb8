"""What a piece costs, by which a fleet is scaled."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Let pieces from before cost nothing: they are done before long."""
    with op.batch_alter_table("pieces") as pieces:
        pieces.add_column(sa.Column("cost_s", sa.Float(), nullable=False, server_default="0"))
