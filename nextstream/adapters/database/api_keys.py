"""The table of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from nextstream.adapters.database import tables
from nextstream.domain.api_keys import ApiKey


class SqlApiKeys:
    """The API keys of a transaction."""

    _table = tables.api_keys
    _columns = tables.columns(_table, ApiKey)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        """Store a new key."""
        self._connection.execute(insert(self._table), tables.row(key))

    def get(self, key_id: str) -> ApiKey | None:
        """Give a key."""
        wanted = select(*self._columns).where(self._table.c.id == key_id)
        found = self._connection.execute(wanted).one_or_none()
        return None if found is None else ApiKey(*found)

    def list(self, account_id: str) -> Sequence[ApiKey]:
        """Give an account's keys that aren't revoked."""
        table = self._table
        rows = self._connection.execute(
            select(*self._columns)
            .where(table.c.account_id == account_id, table.c.revoked_at.is_(None))
            .order_by(table.c.created_at.desc(), table.c.id.desc())
        )
        return [ApiKey(*row) for row in rows]

    def note_use(self, key: ApiKey, now: datetime) -> bool:
        """Note a use, by one UPDATE, so that of many at once one does."""
        table = self._table
        as_read = table.c.used_at.is_not_distinct_from(key.used_at)
        noted = self._connection.execute(
            update(table).where(table.c.id == key.id, as_read).values(used_at=now)
        )
        return bool(noted.rowcount)

    def revoke(self, key_id: str, now: datetime) -> None:
        """End a key."""
        table = self._table
        still = table.c.revoked_at.is_(None)
        self._connection.execute(update(table).where(table.c.id == key_id, still).values(revoked_at=now))
