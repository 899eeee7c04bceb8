"""The webhooks and their deliveries in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from nextstream.adapters.database_memory.rows import Rows
from nextstream.domain.webhooks import Delivery, Outcome, Webhook
from nextstream.errors import Conflict, WebhookNotFound
from nextstream.ports import Backlog

CURSOR = "webhooks"


class MemoryWebhooks:
    """The webhooks of a transaction."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, webhook: Webhook) -> None:
        """Store a new webhook; raises Conflict where it is there already."""
        if webhook.id in self._rows.webhooks:
            raise Conflict(detail=webhook.id)
        self._rows.webhooks[webhook.id] = webhook

    def get(self, webhook_id: str) -> Webhook:
        """Give a webhook."""
        try:
            return self._rows.webhooks[webhook_id]
        except KeyError:
            raise WebhookNotFound from None

    def save(self, webhook: Webhook) -> None:
        """Store a changed webhook."""
        self.get(webhook.id)
        self._rows.webhooks[webhook.id] = webhook

    def remove(self, webhook_id: str) -> None:
        """Remove a webhook with its deliveries."""
        self._rows.webhooks.pop(webhook_id, None)
        for delivery in self._of(webhook_id):
            del self._rows.deliveries[delivery.id]

    def list(self, owner_id: str | None = None, *, everyone: bool = False) -> Sequence[Webhook]:
        """Give webhooks, oldest first."""
        found = [w for w in self._rows.webhooks.values() if everyone or w.owner_id == owner_id]
        return sorted(found, key=lambda webhook: (webhook.created_at, webhook.id))

    def place(self) -> int:
        """Give the place in the outbox up to which deliveries have been made."""
        return self._rows.cursors.get(CURSOR, 0)

    def go_on(self, before: int, place: int) -> None:
        """Move the place on."""
        if self.place() != before:
            raise Conflict(detail="another process made these deliveries")
        self._rows.cursors[CURSOR] = place

    def send(self, deliveries: Iterable[Delivery]) -> None:
        """Store new deliveries; raises Conflict for an event that is on its way already."""
        known = {(d.webhook_id, d.event_id) for d in self._rows.deliveries.values()}
        for delivery in deliveries:
            if (delivery.webhook_id, delivery.event_id) in known:
                raise Conflict(detail=delivery.event_id)
            self._rows.deliveries[delivery.id] = delivery

    def backlog(self, now: datetime) -> Backlog:
        """Count what is due."""
        active = {webhook.id for webhook in self._rows.webhooks.values() if webhook.active}
        due = [
            delivery.due_at
            for delivery in self._rows.deliveries.values()
            if delivery.webhook_id in active and _is_due(delivery, now)
        ]
        return Backlog(len(due), min(due, default=None))

    def ring(self, now: datetime, until: datetime, limit: int) -> Sequence[str]:
        """Give the webhooks to ring for, and note that it is done."""
        due = {d.webhook_id for d in self._rows.deliveries.values() if _is_due(d, now)}
        ids = [w for w in due if self._is_free(w, now) and not self._rows.rung.get(w, now) > now]
        self._rows.rung.update(dict.fromkeys(ids[:limit], until))
        return ids[:limit]

    def claim(self, webhook_id: str, now: datetime, until: datetime) -> bool:
        """Take a webhook for deliveries."""
        if not self._is_free(webhook_id, now):
            return False
        self._rows.claimed[webhook_id] = until
        self._rows.rung.pop(webhook_id, None)
        return True

    def release(self, webhook_id: str) -> None:
        """Let a webhook go."""
        self._rows.claimed.pop(webhook_id, None)

    def next(self, webhook_id: str, now: datetime) -> Delivery | None:
        """Give the delivery that is due longest."""
        due = [delivery for delivery in self._of(webhook_id) if _is_due(delivery, now)]
        return min(due, key=lambda d: (d.due_at, d.event_place), default=None)

    def delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Give a delivery."""
        found = self._rows.deliveries.get(delivery_id)
        if found is None or found.webhook_id != webhook_id:
            raise WebhookNotFound
        return found

    def note(self, delivery: Delivery) -> None:
        """Store how a delivery went; nothing where its webhook is gone."""
        if delivery.id in self._rows.deliveries:
            self._rows.deliveries[delivery.id] = delivery

    def log(self, webhook_id: str, before: str | None, limit: int) -> Sequence[Delivery]:
        """Give deliveries, newest first."""
        found = sorted(self._of(webhook_id), key=_place, reverse=True)
        if before is not None:
            last = _place(self.delivery(webhook_id, before))
            found = [delivery for delivery in found if _place(delivery) < last]
        return found[:limit]

    def prune(self, before_place: int) -> int:
        """Remove deliveries of old events."""
        old = [d.id for d in self._rows.deliveries.values() if d.event_place < before_place]
        for delivery_id in old:
            del self._rows.deliveries[delivery_id]
        return len(old)

    def _of(self, webhook_id: str) -> Sequence[Delivery]:
        return [d for d in self._rows.deliveries.values() if d.webhook_id == webhook_id]

    def _is_free(self, webhook_id: str, now: datetime) -> bool:
        webhook = self._rows.webhooks.get(webhook_id)
        return bool(webhook and webhook.active and not self._rows.claimed.get(webhook_id, now) > now)


def _is_due(delivery: Delivery, now: datetime) -> bool:
    return delivery.outcome is Outcome.WAITING and delivery.due_at <= now


def _place(delivery: Delivery) -> tuple[int, str]:
    return delivery.event_place, delivery.id
