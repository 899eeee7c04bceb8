"""Where events go, and where they wait to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nextstream.domain.events import Event


class EventSink(Protocol):
    """Sends events to other systems."""

    def send(self, events: Sequence[Event]) -> Sequence[str]:
        """Send in order and give the ids of those known to have arrived; at least once each.

        After an event that failed, no later one of the same key counts as arrived.
        Raises EventsUnavailable where none could be sent.
        """
        ...

    def close(self) -> None:
        """Flush and let go."""
        ...


@dataclass(frozen=True)
class OutboxEntry:
    """An event with its place in the outbox; places grow."""

    place: int
    event: Event
    sent: bool


@dataclass(frozen=True)
class Backlog:
    """How much waits, and since when the oldest of it has."""

    count: int
    since: datetime | None = None


class Outbox(Protocol):
    """Events, stored in the transaction that makes them true, and sent on afterwards."""

    def add(self, *events: Event) -> None:
        """Store events to be sent, in this order; best as the last step of a transaction.

        From then on to the commit, other transactions with events may have to wait.
        """
        ...

    def unsent(self, limit: int) -> Sequence[OutboxEntry]:
        """Give the oldest events not known to have been sent."""
        ...

    def backlog(self) -> Backlog:
        """Count the events not known to have been sent."""
        ...

    def mark_sent(self, event_ids: Iterable[str]) -> None:
        """Note events as sent; may run twice."""
        ...

    def give_up(self, before: datetime) -> int:
        """Note older events that couldn't be sent as sent, and count them."""
        ...

    def prune(self, before: datetime, up_to: int) -> int:
        """Remove some events that were sent and are older, none behind a place, and count them."""
        ...

    def page(self, after: int, limit: int, key: str | None = None) -> Sequence[OutboxEntry]:
        """Give events from the place after `after` on, of one key or all."""
        ...

    def last(self, key: str) -> int:
        """Give the place of the newest event of a key, or 0."""
        ...

    def behind(self, place: int) -> Backlog:
        """Count the events behind a place."""
        ...
