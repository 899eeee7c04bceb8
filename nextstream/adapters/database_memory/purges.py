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
        return self._set(purge, replace(purge, sweeps=purge.sweeps + 1, due_at=next_at))

    def postpone(self, purge: Purge, due_at: datetime) -> bool:
        """Note another time, by compare-and-set."""
        return self._set(purge, replace(purge, due_at=due_at))

    def remove(self, prefix: str) -> bool:
        """Remove a purge, and tell whether it was there and nothing was swept."""
        purge = self._purges.pop(prefix, None)
        return purge is not None and purge.sweeps == 0

    def _set(self, read: Purge, changed: Purge) -> bool:
        found = self._purges.get(read.prefix)
        if found is None or found.sweeps != read.sweeps:
            return False
        self._purges[read.prefix] = changed
        return True
