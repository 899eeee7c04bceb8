"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

PLACE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Begin with an empty database."""
    create_videos()
    create_pieces()
    create_accounts()
    create_outbox()


def create_videos() -> None:
    op.create_table(
        "videos",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("request_id", sa.Text()),
        sa.Column("source", sa.JSON()),
        sa.Column("plan", sa.JSON()),
        sa.Column("renditions", sa.JSON(), nullable=False),
        sa.Column("failure", sa.JSON()),
        sa.Column("state_times", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_videos"),
    )
    op.create_index("ix_videos_created_at_id", "videos", ["created_at", "id"])
    op.create_index("ix_videos_owner_id_created_at_id", "videos", ["owner_id", "created_at", "id"])


def create_pieces() -> None:
    op.create_table(
        "pieces",
        sa.Column("place", PLACE, nullable=False),
        sa.Column("video_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("piece", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("token", sa.Text()),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("frames_done", sa.Integer(), nullable=False),
        sa.Column("renditions", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("place", name="pk_pieces"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name="fk_pieces_video_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("video_id", "version", "name", name="uq_pieces_video_id_version_name"),
        sqlite_autoincrement=True,
    )


def create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )


def create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("place", PLACE, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_outbox"),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_key_place", "outbox", ["key", "place"])
    unsent = sa.column("sent") == sa.false()
    op.create_index(
        "ix_outbox_unsent", "outbox", ["place"], sqlite_where=unsent, postgresql_where=unsent
    )
