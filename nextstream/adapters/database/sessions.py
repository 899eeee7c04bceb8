"""The table of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from nextstream.adapters.database import tables
from nextstream.domain.sessions import Session


class SqlSessions:
    """The sessions of a transaction."""

    _table = tables.sessions
    _columns = tables.columns(_table, Session)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: Session) -> None:
        """Store a new session."""
        self._connection.execute(insert(self._table), tables.row(session))

    def get(self, session_id: str) -> Session | None:
        """Give a session."""
        return self._one(self._select(session_id))

    def lock(self, session_id: str) -> Session | None:
        """Give a session whose row is ours; SQLite's transactions take turns anyway."""
        return self._one(self._select(session_id).with_for_update())

    def save(self, session: Session) -> None:
        """Store a changed session."""
        self._connection.execute(
            update(self._table).where(self._table.c.id == session.id).values(tables.row(session))
        )

    def prune(self, before: datetime) -> int:
        """Remove sessions that expired before a time."""
        expired = self._table.c.expires_at < before
        return self._connection.execute(delete(self._table).where(expired)).rowcount

    def list(self, account_id: str) -> Sequence[Session]:
        """Give an account's sessions that haven't been ended."""
        table = self._table
        rows = self._connection.execute(
            select(*self._columns)
            .where(table.c.account_id == account_id, table.c.ended_at.is_(None))
            .order_by(table.c.used_at.desc(), table.c.id.desc())
            .with_for_update()
        )
        return [Session(*row) for row in rows]

    def _select(self, session_id: str) -> Select[Any]:
        return select(*self._columns).where(self._table.c.id == session_id)

    def _one(self, wanted: Select[Any]) -> Session | None:
        found = self._connection.execute(wanted).one_or_none()
        return None if found is None else Session(*found)
