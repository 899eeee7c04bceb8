"""The audit log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nextstream.domain.audit import Deed
from nextstream.ports import AuditEntry


class MemoryAudit:
    """The audit log of a transaction."""

    def __init__(self, entries: list[AuditEntry]) -> None:
        self._entries = entries

    def add(self, deed: Deed) -> None:
        """Write a line."""
        place = self._entries[-1].place + 1 if self._entries else 1
        self._entries.append(AuditEntry(place, deed))

    def prune(self, before: datetime) -> int:
        """Remove old lines."""
        kept = [entry for entry in self._entries if entry.deed.time >= before]
        removed = len(self._entries) - len(kept)
        self._entries[:] = kept
        return removed

    def page(
        self, before: int | None, limit: int, actor_id: str | None = None, action: str | None = None
    ) -> Sequence[AuditEntry]:
        """Give lines, newest first."""
        found = [
            entry
            for entry in reversed(self._entries)
            if (before is None or entry.place < before)
            and actor_id in (None, entry.deed.actor_id)
            and action in (None, entry.deed.action)
        ]
        return found[:limit]
