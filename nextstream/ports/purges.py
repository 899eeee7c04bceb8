"""The rows of what is to be removed from storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Purge:
    """Objects that nobody needs: all below `prefix`, or all but `keep` and what else a user gave.

    They are swept more than once, since a worker that was late may write after the first time.
    """

    prefix: str
    due_at: datetime
    keep: str | None = None
    sweeps: int = 0


class Purges(Protocol):
    """The purges, inside a transaction; one for each prefix."""

    def add(self, purge: Purge) -> None:
        """Store a purge, in place of an older one of the same prefix."""
        ...

    def due(self, now: datetime, limit: int) -> Sequence[Purge]:
        """Give the purges whose time has come, the oldest first."""
        ...

    def note_swept(self, purge: Purge, next_at: datetime) -> bool:
        """Count a sweep, and note when the next is due; False where the purge isn't as it was read."""
        ...

    def postpone(self, purge: Purge, due_at: datetime) -> bool:
        """Note another time for a purge, and count nothing; False where it isn't as it was read."""
        ...

    def remove(self, prefix: str) -> bool:
        """Remove a purge, and tell whether it was there and nothing of it was swept."""
        ...
