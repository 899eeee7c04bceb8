"""The API keys in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from nextstream.domain.api_keys import ApiKey
from nextstream.errors import Conflict


class MemoryApiKeys:
    """The API keys of a transaction."""

    def __init__(self, keys: dict[str, ApiKey]) -> None:
        self._keys = keys

    def add(self, key: ApiKey) -> None:
        """Store a new key; raises Conflict for one that is there already."""
        if key.id in self._keys:
            raise Conflict(detail="API key")
        self._keys[key.id] = key

    def get(self, key_id: str) -> ApiKey | None:
        """Give a key."""
        return self._keys.get(key_id)

    def list(self, account_id: str) -> Sequence[ApiKey]:
        """Give an account's keys that aren't revoked."""
        found = [k for k in self._keys.values() if k.account_id == account_id and k.revoked_at is None]
        return sorted(found, key=lambda k: (k.created_at, k.id), reverse=True)

    def note_use(self, key: ApiKey, now: datetime) -> bool:
        """Note a use, unless another request did."""
        kept = self._keys.get(key.id)
        if kept is None or kept.used_at != key.used_at:
            return False
        self._keys[key.id] = replace(kept, used_at=now)
        return True

    def revoke(self, key_id: str, now: datetime) -> None:
        """End a key."""
        kept = self._keys.get(key_id)
        if kept and kept.revoked_at is None:
            self._keys[key_id] = replace(kept, revoked_at=now)
