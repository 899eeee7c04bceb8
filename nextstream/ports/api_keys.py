"""The rows of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from nextstream.domain.api_keys import ApiKey


class ApiKeys(Protocol):
    """The API keys, inside a transaction."""

    def add(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    def get(self, key_id: str) -> ApiKey | None:
        """Give a key."""
        ...

    def list(self, account_id: str) -> Sequence[ApiKey]:
        """Give an account's keys that aren't revoked, the newest first."""
        ...

    def note_use(self, key: ApiKey, now: datetime) -> bool:
        """Note that a key was used, unless another request did so since it was read; tell which."""
        ...

    def revoke(self, key_id: str, now: datetime) -> None:
        """End a key for good; may run twice."""
        ...
