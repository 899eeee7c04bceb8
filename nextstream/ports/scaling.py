"""Whoever starts and stops workers by the load: it is told the load, and says how many it wants."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from nextstream.domain.backlog import Load


class Scaling(Protocol):
    """Scales the fleet of workers."""

    def wanted(self) -> int | None:
        """Give the workers the fleet is to have, those on their way included; None: nobody says.

        Raises ScalingUnavailable.
        """
        ...

    def publish(self, load: Load, now: datetime) -> None:
        """Tell the load; may run twice; raises ScalingUnavailable."""
        ...
