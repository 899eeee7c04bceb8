"""The events in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from nextstream.adapters.database_memory.rows import Rows
from nextstream.domain.events import Event
from nextstream.errors import Conflict
from nextstream.ports import Backlog, OutboxEntry

LAST = "outbox"  # the place that was given last, though its event may be gone


class MemoryOutbox:
    """The outbox of a transaction."""

    def __init__(self, rows: Rows, check: Callable[[Event], None]) -> None:
        self._check = check
        self._entries = rows.outbox
        self._cursors = rows.cursors

    def add(self, *events: Event) -> None:
        """Store events to be sent; raises Conflict for one that is there already.

        Raises ValueError for one that isn't declared, so that no schema of events grows untrue.
        """
        if {event.id for event in events} & {entry.event.id for entry in self._entries}:
            raise Conflict(detail="event")
        for event in events:
            self._check(event)
            place = self._cursors[LAST] = self._cursors.get(LAST, 0) + 1
            self._entries.append(OutboxEntry(place, event, sent=False))

    def unsent(self, limit: int) -> Sequence[OutboxEntry]:
        """Give the oldest unsent events."""
        return [entry for entry in self._entries if not entry.sent][:limit]

    def mark_sent(self, event_ids: Iterable[str]) -> None:
        """Note events as sent."""
        sent = set(event_ids)
        self._entries[:] = [
            replace(entry, sent=entry.sent or entry.event.id in sent) for entry in self._entries
        ]

    def give_up(self, before: datetime) -> int:
        """Note older events as sent."""
        old = [entry for entry in self._entries if not entry.sent and entry.event.time < before]
        self.mark_sent(entry.event.id for entry in old)
        return len(old)

    def prune(self, before: datetime, up_to: int) -> int:
        """Remove sent events that are older."""
        kept = [
            entry
            for entry in self._entries
            if not entry.sent or entry.event.time >= before or entry.place > up_to
        ]
        count = len(self._entries) - len(kept)
        self._entries[:] = kept
        return count

    def page(self, after: int, limit: int, key: str | None = None) -> Sequence[OutboxEntry]:
        """Give events from a place on."""
        found = [e for e in self._entries if e.place > after and key in (None, e.event.key)]
        return found[:limit]

    def last(self, key: str) -> int:
        """Give the place of the newest event of a key."""
        return max((entry.place for entry in self._entries if entry.event.key == key), default=0)

    def backlog(self) -> Backlog:
        """Count unsent events."""
        return _count([entry for entry in self._entries if not entry.sent])

    def behind(self, place: int) -> Backlog:
        """Count events behind a place."""
        return _count([entry for entry in self._entries if entry.place > place])


def _count(entries: Sequence[OutboxEntry]) -> Backlog:
    return Backlog(len(entries), entries[0].event.time if entries else None)
