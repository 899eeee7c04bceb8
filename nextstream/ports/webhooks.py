"""The rows of webhooks, and of what is on its way to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from nextstream.domain.webhooks import Delivery, Webhook
from nextstream.ports.events import Backlog


class Webhooks(Protocol):
    """The webhooks, inside a transaction; one worker at a time delivers to each."""

    def add(self, webhook: Webhook) -> None:
        """Store a new webhook."""
        ...

    def get(self, webhook_id: str) -> Webhook:
        """Give a webhook; raises WebhookNotFound."""
        ...

    def save(self, webhook: Webhook) -> None:
        """Store a changed webhook; raises WebhookNotFound."""
        ...

    def remove(self, webhook_id: str) -> None:
        """Remove a webhook with its deliveries; may run twice."""
        ...

    def list(self, owner_id: str | None = None, *, everyone: bool = False) -> Sequence[Webhook]:
        """Give an owner's webhooks, or the operators' own, or everyone's; oldest first."""
        ...

    def place(self) -> int:
        """Give the place in the outbox up to which deliveries have been made."""
        ...

    def go_on(self, before: int, place: int) -> None:
        """Move the place on from `before`; raises Conflict where another has."""
        ...

    def send(self, deliveries: Iterable[Delivery]) -> None:
        """Store new deliveries."""
        ...

    def backlog(self, now: datetime) -> Backlog:
        """Count the deliveries that are due to active webhooks."""
        ...

    def ring(self, now: datetime, until: datetime, limit: int) -> Sequence[str]:
        """Give the active webhooks that something is due for and that nobody delivers to.

        Those it gave it doesn't give again before `until`, unless they were claimed meanwhile.
        """
        ...

    def claim(self, webhook_id: str, now: datetime, until: datetime) -> bool:
        """Take a webhook for deliveries until then, unless someone has it or it isn't active."""
        ...

    def release(self, webhook_id: str) -> None:
        """Let a webhook go; may run twice."""
        ...

    def next(self, webhook_id: str, now: datetime) -> Delivery | None:
        """Give the delivery that is due longest."""
        ...

    def delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Give a delivery; raises WebhookNotFound."""
        ...

    def note(self, delivery: Delivery) -> None:
        """Store how a delivery went."""
        ...

    def log(self, webhook_id: str, before: str | None, limit: int) -> Sequence[Delivery]:
        """Give deliveries, newest first, behind the delivery `before`; raises WebhookNotFound."""
        ...

    def prune(self, before_place: int) -> int:
        """Remove some deliveries of events before a place in the outbox, and count them."""
        ...
