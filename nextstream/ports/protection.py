"""Whoever stops workers that are too many, and spares those that ask for it."""

from __future__ import annotations

from typing import Protocol


class Protection(Protocol):
    """Protects the worker that this process belongs to from being scaled in."""

    def hold(self, minutes: int) -> None:
        """Ask to be spared for so long from now; may run twice; raises ScalingUnavailable."""
        ...

    def release(self) -> None:
        """Let the worker be stopped again; may run twice; raises ScalingUnavailable."""
        ...
