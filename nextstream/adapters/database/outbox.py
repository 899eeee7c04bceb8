"""The table of events that are to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from nextstream.adapters.database import tables
from nextstream.domain.events import Event
from nextstream.ports import Backlog, OutboxEntry

PRUNED_AT_ONCE = 5000
OUTBOX_LOCK = 0x6E657874  # any number that no other lock of the database has


class SqlOutbox:
    """The outbox of a transaction."""

    _table = tables.outbox
    _columns = (_table.c.place, _table.c.sent, *tables.columns(_table, Event))

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, *events: Event) -> None:
        """Store events to be sent; the last step of a transaction, for others may wait for it."""
        if not events:
            return
        if self._connection.dialect.name == "postgresql":
            # Places are given when a row is written and seen when it is committed. One writer
            # at a time keeps both in one order, so nothing appears behind a reader's place.
            self._connection.execute(select(func.pg_advisory_xact_lock(OUTBOX_LOCK)))
        self._connection.execute(
            insert(self._table), [{**tables.row(event), "sent": False} for event in events]
        )

    def unsent(self, limit: int) -> Sequence[OutboxEntry]:
        """Give the oldest unsent events."""
        return self._entries(limit, tables.UNSENT)

    def mark_sent(self, event_ids: Iterable[str]) -> None:
        """Note events as sent."""
        known = self._table.c.id.in_(list(event_ids))
        self._connection.execute(update(self._table).where(known).values(sent=True))

    def give_up(self, before: datetime) -> int:
        """Note older events as sent, by the index of unsent ones."""
        old = update(self._table).where(tables.UNSENT, self._table.c.time < before)
        return self._connection.execute(old.values(sent=True)).rowcount

    def prune(self, before: datetime, up_to: int) -> int:
        """Remove sent events, a batch at a time, so that nobody waits long for the lock."""
        columns = self._table.c
        young = select(columns.place).where(columns.place > 0, columns.time >= before)
        first = self._connection.execute(young.order_by(columns.place).limit(1)).scalar()
        last = up_to if first is None else min(up_to, first - 1)
        old = select(columns.place).where(columns.sent, columns.place <= last)
        batch = old.order_by(columns.place).limit(PRUNED_AT_ONCE)
        gone = delete(self._table).where(columns.place.in_(batch.scalar_subquery()))
        return self._connection.execute(gone).rowcount

    def page(self, after: int, limit: int, key: str | None = None) -> Sequence[OutboxEntry]:
        """Give events from a place on."""
        wanted = [self._table.c.place > after]
        if key is not None:
            wanted.append(self._table.c.key == key)
        return self._entries(limit, *wanted)

    def last(self, key: str) -> int:
        """Give the place of the newest event of a key."""
        newest = select(func.max(self._table.c.place)).where(self._table.c.key == key)
        return self._connection.scalar(newest) or 0

    def backlog(self) -> Backlog:
        """Count unsent events, by the index that has those alone."""
        return self._count(tables.UNSENT)

    def behind(self, place: int) -> Backlog:
        """Count events behind a place."""
        return self._count(self._table.c.place > place)

    def _count(self, wanted: ColumnElement[bool]) -> Backlog:
        columns = self._table.c
        counted = select(func.count(), func.min(columns.place)).where(wanted)
        count, first = self._connection.execute(counted).one()
        since = select(columns.time).where(columns.place == first)
        return Backlog(count, self._connection.scalar(since) if count else None)

    def _entries(self, limit: int, *wanted: ColumnElement[bool]) -> Sequence[OutboxEntry]:
        chosen = select(*self._columns).where(*wanted).order_by(self._table.c.place).limit(limit)
        return [_entry(row) for row in self._connection.execute(chosen)]


def _entry(row: Sequence[Any]) -> OutboxEntry:
    place, sent, *event = row
    return OutboxEntry(place, Event(*event), sent)
