"""The table of the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from nextstream.adapters.database import tables
from nextstream.domain.audit import Deed
from nextstream.ports import AuditEntry

END = 2**63 - 1  # no place is behind it
AT_ONCE = 1000  # lines that one transaction removes


class SqlAudit:
    """The audit log of a transaction."""

    _table = tables.audit
    _columns = (_table.c.place, *tables.columns(_table, Deed))

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, deed: Deed) -> None:
        """Write a line."""
        self._connection.execute(insert(self._table), tables.row(deed))

    def prune(self, before: datetime) -> int:
        """Remove old lines, by place, so that long transactions hold nobody up."""
        table = self._table
        old = select(table.c.place).where(table.c.time < before).order_by(table.c.place).limit(AT_ONCE)
        return self._connection.execute(delete(table).where(table.c.place.in_(old))).rowcount

    def page(
        self, before: int | None, limit: int, actor_id: str | None = None, action: str | None = None
    ) -> Sequence[AuditEntry]:
        """Give lines, newest first."""
        table = self._table
        wanted = select(*self._columns).where(table.c.place < (before or END))
        wanted = wanted.order_by(table.c.place.desc()).limit(limit)
        if actor_id is not None:
            wanted = wanted.where(table.c.actor_id == actor_id)
        if action is not None:
            wanted = wanted.where(table.c.action == action)
        return [AuditEntry(row[0], Deed(*row[1:])) for row in self._connection.execute(wanted)]
