"""The requests that carried an idempotency key, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nextstream.errors import Conflict
from nextstream.ports import KeyedRequest


class MemoryKeyedRequests:
    """The keyed requests of a transaction."""

    def __init__(self, requests: dict[tuple[str, str], KeyedRequest]) -> None:
        self._requests = requests

    def add(self, request: KeyedRequest) -> None:
        """Store a request that begins."""
        if self.find(request.owner_id, request.key_hash):
            raise Conflict
        self._requests[request.owner_id, request.key_hash] = request

    def find(self, owner_id: str, key_hash: str) -> KeyedRequest | None:
        """Give what is known under an owner's key."""
        return self._requests.get((owner_id, key_hash))

    def save(self, request: KeyedRequest) -> bool:
        """Store a later lease, or the answer, by compare-and-set on the token."""
        found = self._same(request)
        if found:
            changed = replace(found, lease_until=request.lease_until, answer=request.answer)
            self._requests[request.owner_id, request.key_hash] = changed
        return found is not None

    def remove(self, request: KeyedRequest) -> bool:
        """Remove a request, and tell whether it was there."""
        found = self._same(request)
        if found:
            del self._requests[request.owner_id, request.key_hash]
        return found is not None

    def forget(self, before: datetime) -> int:
        """Remove the requests that began before a time."""
        old = [key for key, request in self._requests.items() if request.created_at < before]
        for key in old:
            del self._requests[key]
        return len(old)

    def _same(self, request: KeyedRequest) -> KeyedRequest | None:
        found = self.find(request.owner_id, request.key_hash)
        return found if found and found.token == request.token else None
