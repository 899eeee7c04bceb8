"""The tables of webhooks, of their deliveries, and of how far readers of the outbox are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, or_, select, tuple_, update

from nextstream.adapters.database import tables
from nextstream.domain.webhooks import Delivery, Webhook
from nextstream.errors import Conflict, WebhookNotFound
from nextstream.ports import Backlog

CURSOR = "webhooks"
PRUNED_AT_ONCE = 1000  # of one webhook, so that long transactions hold nobody up


class SqlWebhooks:
    """The webhooks of a transaction."""

    _table = tables.webhooks
    _columns = tables.columns(_table, Webhook)
    _sent = tables.deliveries
    _sent_columns = tables.columns(_sent, Delivery)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, webhook: Webhook) -> None:
        """Store a new webhook."""
        self._connection.execute(insert(self._table), tables.row(webhook))

    def get(self, webhook_id: str) -> Webhook:
        """Give a webhook."""
        wanted = select(*self._columns).where(self._table.c.id == webhook_id)
        found = self._connection.execute(wanted).one_or_none()
        if found is None:
            raise WebhookNotFound
        return Webhook(*found)

    def save(self, webhook: Webhook) -> None:
        """Store a changed webhook."""
        self._change(webhook.id, tables.row(webhook))

    def remove(self, webhook_id: str) -> None:
        """Remove a webhook; its deliveries go with it."""
        self._connection.execute(delete(self._table).where(self._table.c.id == webhook_id))

    def list(self, owner_id: str | None = None, *, everyone: bool = False) -> Sequence[Webhook]:
        """Give webhooks, oldest first."""
        wanted = select(*self._columns).order_by(self._table.c.created_at, self._table.c.id)
        if not everyone:
            wanted = wanted.where(self._table.c.owner_id == owner_id)
        return [Webhook(*row) for row in self._connection.execute(wanted)]

    def place(self) -> int:
        """Give the place in the outbox up to which deliveries have been made."""
        cursors = tables.cursors.c
        return (
            self._connection.execute(select(cursors.place).where(cursors.name == CURSOR)).scalar() or 0
        )

    def go_on(self, before: int, place: int) -> None:
        """Move the place on."""
        cursors = tables.cursors
        here = (cursors.c.name == CURSOR, cursors.c.place == before)
        if self._connection.execute(update(cursors).where(*here).values(place=place)).rowcount:
            return
        if self.place():
            raise Conflict(detail="another process made these deliveries")
        self._connection.execute(insert(cursors), {"name": CURSOR, "place": place})

    def send(self, deliveries: Iterable[Delivery]) -> None:
        """Store new deliveries."""
        rows = [tables.row(delivery) for delivery in deliveries]
        if rows:
            self._connection.execute(insert(self._sent), rows)

    def backlog(self, now: datetime) -> Backlog:
        """Count the deliveries that are due, by the index of those that wait."""
        table, sent = self._table, self._sent
        counted = (
            select(func.count(), func.min(sent.c.due_at))
            .join(table, table.c.id == sent.c.webhook_id)
            .where(tables.WAITING, sent.c.due_at <= now, table.c.active)
        )
        return Backlog(*self._connection.execute(counted).one())

    def ring(self, now: datetime, until: datetime, limit: int) -> Sequence[str]:
        """Give the webhooks to ring for, and note that it is done."""
        table, sent = self._table, self._sent
        due = select(sent.c.webhook_id).where(tables.WAITING, sent.c.due_at <= now)
        quiet = or_(table.c.rung_until.is_(None), table.c.rung_until < now)
        free = or_(table.c.claimed_until.is_(None), table.c.claimed_until < now)
        chosen = select(table.c.id).where(table.c.id.in_(due), table.c.active, quiet, free).limit(limit)
        ids = list(self._connection.execute(chosen).scalars())
        if ids:
            self._connection.execute(update(table).where(table.c.id.in_(ids)).values(rung_until=until))
        return ids

    def claim(self, webhook_id: str, now: datetime, until: datetime) -> bool:
        """Take a webhook by one UPDATE, so that of many at once one gets it."""
        table = self._table
        free = or_(table.c.claimed_until.is_(None), table.c.claimed_until < now)
        claim = update(table).where(table.c.id == webhook_id, table.c.active, free)
        return bool(
            self._connection.execute(claim.values(claimed_until=until, rung_until=None)).rowcount
        )

    def release(self, webhook_id: str) -> None:
        """Let a webhook go."""
        mine = self._table.c.id == webhook_id
        self._connection.execute(update(self._table).where(mine).values(claimed_until=None))

    def next(self, webhook_id: str, now: datetime) -> Delivery | None:
        """Give the delivery that is due longest."""
        sent = self._sent.c
        mine = (sent.webhook_id == webhook_id, tables.WAITING, sent.due_at <= now)
        wanted = select(*self._sent_columns).where(*mine).order_by(sent.due_at, sent.event_place)
        found = self._connection.execute(wanted.limit(1)).one_or_none()
        return None if found is None else Delivery(*found)

    def delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Give a delivery."""
        sent = self._sent.c
        mine = (sent.id == delivery_id, sent.webhook_id == webhook_id)
        found = self._connection.execute(select(*self._sent_columns).where(*mine)).one_or_none()
        if found is None:
            raise WebhookNotFound
        return Delivery(*found)

    def note(self, delivery: Delivery) -> None:
        """Store how a delivery went; nothing where its webhook is gone."""
        mine = self._sent.c.id == delivery.id
        self._connection.execute(update(self._sent).where(mine).values(tables.row(delivery)))

    def log(self, webhook_id: str, before: str | None, limit: int) -> Sequence[Delivery]:
        """Give deliveries, newest first."""
        sent = self._sent.c
        place = (sent.event_place, sent.id)
        wanted = select(*self._sent_columns).where(sent.webhook_id == webhook_id).limit(limit)
        if before is not None:
            last = self.delivery(webhook_id, before)
            wanted = wanted.where(tuple_(*place) < (last.event_place, last.id))
        wanted = wanted.order_by(*(column.desc() for column in place))
        return [Delivery(*row) for row in self._connection.execute(wanted)]

    def prune(self, before_place: int) -> int:
        """Remove a batch of each webhook's, since an index has the places of each."""
        return sum(self._prune(webhook.id, before_place) for webhook in self.list(everyone=True))

    def _prune(self, webhook_id: str, before_place: int) -> int:
        sent = self._sent.c
        old = select(sent.id).where(sent.webhook_id == webhook_id, sent.event_place < before_place)
        batch = old.order_by(sent.event_place, sent.id).limit(PRUNED_AT_ONCE)
        return self._connection.execute(delete(self._sent).where(sent.id.in_(batch))).rowcount

    def _change(self, webhook_id: str, values: dict[str, object]) -> None:
        changed = update(self._table).where(self._table.c.id == webhook_id).values(values)
        if not self._connection.execute(changed).rowcount:
            raise WebhookNotFound
