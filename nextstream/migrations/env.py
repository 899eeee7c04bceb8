"""What Alembic runs the steps with; nextstream.adapters.database.migrations gives the connection."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import TypeDecorator

from nextstream.adapters.database.tables import metadata


def render_type(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Write a column's plain type into a draft: a step must not depend on today's code."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can't alter most of a table in place
    render_item=render_type,
)
with context.begin_transaction():
    context.run_migrations()
