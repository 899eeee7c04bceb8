"""What work is chosen by, who does it, and what is to be removed from storage."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what the scheduler needs; work that waits in an old queue is sent again from the rows."""
    change_videos()
    change_pieces()
    create_workers()
    create_purges()


def change_videos() -> None:
    with op.batch_alter_table("videos") as table:
        table.add_column(sa.Column("public_version", sa.Integer()))
        table.add_column(sa.Column("priority", sa.Text()))
        table.add_column(sa.Column("options", sa.JSON()))
    op.execute("UPDATE videos SET priority = 'normal', options = '{}'")
    op.execute("UPDATE videos SET public_version = version WHERE state = 'ready'")
    with op.batch_alter_table("videos") as table:
        table.alter_column("priority", nullable=False)
        table.alter_column("options", nullable=False)


def change_pieces() -> None:
    numbered = {"sqlite_autoincrement": True}
    with op.batch_alter_table("pieces", table_kwargs=numbered) as table:
        table.add_column(sa.Column("failed_by", sa.JSON()))
        table.add_column(sa.Column("failed_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("losses", sa.Integer()))
        table.add_column(sa.Column("owner_id", sa.Text()))
        table.add_column(sa.Column("priority", sa.Integer()))
        table.add_column(sa.Column("rank", sa.Integer()))
        table.add_column(sa.Column("sent_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("not_before", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("inits", sa.Text()))
    op.execute(
        "UPDATE pieces SET failed_by = '[]', losses = 0, priority = 1, rank = 2, owner_id = "
        "(SELECT owner_id FROM videos WHERE videos.id = pieces.video_id)"
    )
    op.execute("UPDATE pieces SET state = 'held' WHERE name = 'publish' AND state = 'waiting'")
    with op.batch_alter_table("pieces", table_kwargs=numbered) as table:
        for name in ("failed_by", "losses", "owner_id", "priority", "rank"):
            table.alter_column(name, nullable=False)
        table.create_index(
            "ix_pieces_state_owner_id_priority_rank_place",
            ["state", "owner_id", "priority", "rank", "place"],
        )


def create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )


def create_purges() -> None:
    op.create_table(
        "purges",
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("keep", sa.Text()),
        sa.Column("sweeps", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name="pk_purges"),
    )
    op.create_index("ix_purges_due_at", "purges", ["due_at"])
