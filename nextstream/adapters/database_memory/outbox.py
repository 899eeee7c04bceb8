"""The events in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from nextstream.domain.events import Event
from nextstream.errors import Conflict
from nextstream.ports import OutboxEntry


class MemoryOutbox:
    """The outbox of a transaction."""

    def __init__(self, entries: list[OutboxEntry]) -> None:
        self._entries = entries

    def add(self, *events: Event) -> None:
        """Store events to be sent; raises Conflict for one that is there already."""
        if {event.id for event in events} & {entry.event.id for entry in self._entries}:
            raise Conflict(detail="event")
        for event in events:
            self._entries.append(OutboxEntry(len(self._entries) + 1, event, sent=False))

    def unsent(self, limit: int) -> Sequence[OutboxEntry]:
        """Give the oldest unsent events."""
        return [entry for entry in self._entries if not entry.sent][:limit]

    def mark_sent(self, event_ids: Iterable[str]) -> None:
        """Note events as sent."""
        sent = set(event_ids)
        self._entries[:] = [
            replace(entry, sent=entry.sent or entry.event.id in sent) for entry in self._entries
        ]

    def page(self, after: int, limit: int, key: str | None = None) -> Sequence[OutboxEntry]:
        """Give events from a place on."""
        found = [e for e in self._entries if e.place > after and key in (None, e.event.key)]
        return found[:limit]
