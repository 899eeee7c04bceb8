"""The table of requests that carried an idempotency key."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from nextstream.adapters.database import tables
from nextstream.ports import KeyedRequest


class SqlKeyedRequests:
    """The keyed requests of a transaction."""

    _table = tables.keyed_requests
    _columns = tables.columns(_table, KeyedRequest)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, request: KeyedRequest) -> None:
        """Store a request that begins."""
        self._connection.execute(insert(self._table), tables.row(request))

    def find(self, owner_id: str, key_hash: str) -> KeyedRequest | None:
        """Give what is known under an owner's key."""
        table = self._table
        wanted = (table.c.owner_id == owner_id, table.c.key_hash == key_hash)
        found = self._connection.execute(select(*self._columns).where(*wanted)).one_or_none()
        return None if found is None else KeyedRequest(*found)

    def save(self, request: KeyedRequest) -> bool:
        """Store a later lease, or the answer, by compare-and-set on the token."""
        values = {"lease_until": request.lease_until, "answer": request.answer}
        saved = update(self._table).where(*self._same(request)).values(values)
        return self._connection.execute(saved).rowcount > 0

    def remove(self, request: KeyedRequest) -> bool:
        """Remove a request, and tell whether it was there."""
        gone = delete(self._table).where(*self._same(request))
        return self._connection.execute(gone).rowcount > 0

    def forget(self, before: datetime) -> int:
        """Remove the requests that began before a time."""
        old = delete(self._table).where(self._table.c.created_at < before)
        return self._connection.execute(old).rowcount

    def _same(self, request: KeyedRequest) -> tuple[ColumnElement[bool], ...]:
        table = self._table
        return (
            table.c.owner_id == request.owner_id,
            table.c.key_hash == request.key_hash,
            table.c.token == request.token,
        )
