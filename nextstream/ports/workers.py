"""The rows of the workers that encode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Worker:
    """A worker as it was last heard of; `slots` are the pieces it encodes at once."""

    name: str
    slots: int
    seen_at: datetime
    draining: bool = False


class Workers(Protocol):
    """The workers, inside a transaction."""

    def note(self, worker: Worker) -> None:
        """Store what a worker says of itself, in place of what it said before."""
        ...

    def list(self) -> Sequence[Worker]:
        """Give all workers by name, also those not heard of for long."""
        ...

    def remove(self, name: str) -> bool:
        """Remove a worker, and tell whether it was there."""
        ...
