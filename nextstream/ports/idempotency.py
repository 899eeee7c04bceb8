"""The rows of requests that carried an idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class KeyedRequest:
    """A request under a key of its sender's; `answer` is None while it runs.

    Neither key nor answer can be read from here: of the key there is a hash, and the answer is
    sealed by it. `token` fences the request that runs from one that took its place.
    """

    owner_id: str
    key_hash: str
    fingerprint: str
    token: str
    created_at: datetime
    lease_until: datetime
    answer: str | None = None


class KeyedRequests(Protocol):
    """The requests, inside a transaction; one for each owner and key."""

    def add(self, request: KeyedRequest) -> None:
        """Store a request that begins; raises Conflict where its owner's key is there."""
        ...

    def find(self, owner_id: str, key_hash: str) -> KeyedRequest | None:
        """Give what is known under an owner's key."""
        ...

    def save(self, request: KeyedRequest) -> bool:
        """Store a later lease, or the answer; False where another one took the request's place."""
        ...

    def remove(self, request: KeyedRequest) -> bool:
        """Remove a request, and tell whether it was there."""
        ...

    def forget(self, before: datetime) -> int:
        """Remove the requests that began before a time, and count them."""
        ...
