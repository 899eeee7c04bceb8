"""The dispatcher's in-memory twin: it keeps what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nextstream import queue
from nextstream.errors import QueueUnavailable
from nextstream.ports import Message


class MemoryDispatcher:
    """Keeps each message in `sent`; set `away` to make the queue unreachable."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.rung: list[str] = []
        self.fetched: list[str] = []
        self.away = False

    def send(self, messages: Sequence[Message]) -> None:
        """Keep the messages."""
        self._reach()
        self.sent += messages

    def queued(self) -> int:
        """Count what was kept."""
        self._reach()
        return len(self.sent)

    def backlog(self) -> Mapping[str, int]:
        """Count what was kept."""
        self._reach()
        empty = dict.fromkeys(queue.QUEUES, 0)
        webhooks, uploads = len(self.rung), len(self.fetched)
        return {**empty, queue.MEDIA: len(self.sent), queue.WEBHOOKS: webhooks, queue.UPLOADS: uploads}

    def deliver(self, webhook_id: str) -> None:
        """Keep the call."""
        self._reach()
        self.rung.append(webhook_id)

    def fetch(self, upload_id: str, request_id: str | None) -> None:  # noqa: ARG002  the port names it
        """Keep the upload's id in `fetched`."""
        self._reach()
        self.fetched.append(upload_id)

    def workers(self, enough: int | None = None) -> Sequence[str]:  # noqa: ARG002  the port names it
        """Give no names: nobody works here."""
        self._reach()
        return ()

    def _reach(self) -> None:
        if self.away:
            raise QueueUnavailable
