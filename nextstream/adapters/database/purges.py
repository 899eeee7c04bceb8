"""The table of what is to be removed from storage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from nextstream.adapters.database import tables
from nextstream.ports import Purge


class SqlPurges:
    """The purges of a transaction."""

    _table = tables.purges
    _columns = tables.columns(_table, Purge)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, purge: Purge) -> None:
        """Store a purge, in place of an older one."""
        self.remove(purge.prefix)
        self._connection.execute(insert(self._table), tables.row(purge))

    def due(self, now: datetime, limit: int) -> Sequence[Purge]:
        """Give the purges whose time has come."""
        table = self._table
        chosen = select(*self._columns).where(table.c.due_at <= now)
        rows = self._connection.execute(chosen.order_by(table.c.due_at).limit(limit))
        return [Purge(*row) for row in rows]

    def note_swept(self, purge: Purge, next_at: datetime) -> bool:
        """Count a sweep, by compare-and-set."""
        return self._set(purge, sweeps=purge.sweeps + 1, due_at=next_at)

    def postpone(self, purge: Purge, due_at: datetime) -> bool:
        """Note another time, by compare-and-set."""
        return self._set(purge, due_at=due_at)

    def remove(self, prefix: str) -> bool:
        """Remove a purge, and tell whether it was there and nothing was swept."""
        gone = delete(self._table).where(self._table.c.prefix == prefix)
        return self._connection.execute(gone.returning(self._table.c.sweeps)).scalar() == 0

    def _set(self, read: Purge, **values: Any) -> bool:
        table = self._table
        as_read = (table.c.prefix == read.prefix, table.c.sweeps == read.sweeps)
        return self._connection.execute(update(table).where(*as_read).values(**values)).rowcount > 0
