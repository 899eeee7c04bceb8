"""The purges in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from nextstream.ports import Purge


class MemoryPurges:
    """The purges of a transaction."""

    def __init__(self, purges: dict[str, Purge]) -> None:
        self._purges = purges

    def add(self, purge: Purge) -> None:
        """Store a purge, in place of an older one."""
        self._purges[purge.prefix] = purge

    def due(self, now: datetime, limit: int) -> Sequence[Purge]:
        """Give the purges whose time has come."""
        found = [purge for purge in self._purges.values() if purge.due_at <= now]
        return sorted(found, key=lambda purge: purge.due_at)[:limit]

    def note_swept(self, purge: Purge, next_at: datetime) -> bool:
        """Count a sweep, by compare-and-set."""
        if self._purges.get(purge.prefix) != purge:
            return False
        self._purges[purge.prefix] = replace(purge, sweeps=purge.sweeps + 1, due_at=next_at)
        return True

    def remove(self, prefix: str) -> bool:
        """Remove a purge, and tell whether it was there and nothing was swept."""
        purge = self._purges.pop(prefix, None)
        return purge is not None and purge.sweeps == 0
