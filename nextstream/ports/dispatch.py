"""How work reaches the workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Dispatcher(Protocol):
    """Sends work to the workers; only ids travel."""

    def transcode(self, video_id: str, version: int, request_id: str | None) -> None:
        """Start the chain probe -> pieces -> publish; may run twice; raises QueueUnavailable."""
        ...

    def deliver(self, webhook_id: str) -> None:
        """Ring for what is due for a webhook; may run twice; raises QueueUnavailable."""
        ...

    def workers(self, enough: int | None = None) -> Sequence[str]:
        """Give the names of the workers that answer within a second, or of the first `enough`.

        Raises QueueUnavailable.
        """
        ...
