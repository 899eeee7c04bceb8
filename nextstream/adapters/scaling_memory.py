"""Notes the load, and scales nothing."""

from __future__ import annotations

from datetime import datetime

from nextstream.domain.backlog import Load


class MemoryScaling:
    """Remembers what it was told; `workers` can be set to what it is to want."""

    def __init__(self) -> None:
        self.workers: int | None = None
        self.told: list[tuple[datetime, Load]] = []

    def wanted(self) -> int | None:
        """Give what was set."""
        return self.workers

    def publish(self, load: Load, now: datetime) -> None:
        """Remember it."""
        self.told.append((now, load))
