"""The audit log: what is written there stays as it is, until it is old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nextstream.domain.audit import Deed


@dataclass(frozen=True)
class AuditEntry:
    """A deed with its place in the log; places grow."""

    place: int
    deed: Deed


class Audit(Protocol):
    """The audit log, inside a transaction; there is no way to change it."""

    def add(self, deed: Deed) -> None:
        """Write a line."""
        ...

    def prune(self, before: datetime) -> int:
        """Remove the lines from before a time, some at once, and count them; call it again until 0."""
        ...

    def page(
        self, before: int | None, limit: int, actor_id: str | None = None, action: str | None = None
    ) -> Sequence[AuditEntry]:
        """Give lines, newest first, from before a place on; of one actor or action, or all."""
        ...
