"""The dispatcher's in-memory twin: it keeps what was sent."""

from __future__ import annotations

from collections.abc import Sequence

from nextstream.errors import QueueUnavailable


class MemoryDispatcher:
    """Keeps each call in `sent`; set `away` to make the queue unreachable."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, str | None]] = []
        self.rung: list[str] = []
        self.away = False

    def transcode(self, video_id: str, version: int, request_id: str | None) -> None:
        """Keep the call."""
        self._reach()
        self.sent.append((video_id, version, request_id))

    def deliver(self, webhook_id: str) -> None:
        """Keep the call."""
        self._reach()
        self.rung.append(webhook_id)

    def workers(self, enough: int | None = None) -> Sequence[str]:  # noqa: ARG002  the port names it
        """Give no names: nobody works here."""
        self._reach()
        return ()

    def _reach(self) -> None:
        if self.away:
            raise QueueUnavailable
