"""How work reaches the workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nextstream.domain.plan import Kind


@dataclass(frozen=True)
class Message:
    """A message to do a piece of work; smaller `urgency` comes first, `attempt` counts from 0.

    `rungs` are for people who look at the queue; `traceparent` names the span it is a part of.
    """

    video_id: str
    version: int
    name: str
    kind: Kind
    request_id: str | None = None
    attempt: int = 0
    urgency: int = 0
    rungs: tuple[str, ...] = ()
    traceparent: str | None = None


class Dispatcher(Protocol):
    """Sends work to the workers; only ids travel."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages, in this order; may run twice; raises QueueUnavailable."""
        ...

    def queued(self) -> int:
        """Count the messages that no worker has taken yet; raises QueueUnavailable."""
        ...

    def backlog(self) -> Mapping[str, int]:
        """Count the messages of each queue that no worker has taken yet; raises QueueUnavailable."""
        ...

    def deliver(self, webhook_id: str) -> None:
        """Ring for what is due for a webhook; may run twice; raises QueueUnavailable."""
        ...

    def fetch(self, upload_id: str, request_id: str | None) -> None:
        """Fetch the file of an import; may run twice; raises QueueUnavailable."""
        ...

    def workers(self, enough: int | None = None) -> Sequence[str]:
        """Give the names of the workers that answer within a second, or of the first `enough`.

        Raises QueueUnavailable.
        """
        ...
