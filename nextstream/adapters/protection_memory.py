"""Remembers whether the worker is protected, where nobody would stop it."""

from __future__ import annotations


class MemoryProtection:
    """The minutes it was last asked for, and each call."""

    def __init__(self) -> None:
        self.minutes: int | None = None
        self.calls: list[str] = []

    def hold(self, minutes: int) -> None:
        """Note it."""
        self.minutes = minutes
        self.calls.append("hold")

    def release(self) -> None:
        """Note it."""
        self.minutes = None
        self.calls.append("release")
