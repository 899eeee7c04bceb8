"""The audit log in memory."""

from __future__ import annotations

from collections.abc import Sequence

from nextstream.domain.audit import Deed
from nextstream.ports import AuditEntry


class MemoryAudit:
    """The audit log of a transaction."""

    def __init__(self, entries: list[AuditEntry]) -> None:
        self._entries = entries

    def add(self, deed: Deed) -> None:
        """Write a line."""
        self._entries.append(AuditEntry(len(self._entries) + 1, deed))

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
