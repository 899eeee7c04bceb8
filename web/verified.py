"""Tokens that were good some seconds ago: the gateway asks first, then its service, then others.

What can change meanwhile, a key that is gone and the token's end, is looked at each time; whether its
session goes on is the database's to say, each time as well.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from cachetools import TTLCache

from nextstream.ports import SigningKeys

KEPT_S = 10.0
TOKENS = 4096


class Verified:
    """The claims of tokens whose signature this process has checked, which takes long."""

    def __init__(self) -> None:
        self._known: TTLCache[str, tuple[str, dict[str, Any]]] = TTLCache(TOKENS, KEPT_S)
        self._lock = threading.Lock()

    def find(self, token: str, keys: SigningKeys) -> dict[str, Any] | None:
        """Give the claims of a token that was good, and still is."""
        with self._lock:
            kid, claims = self._known.get(token, ("", {}))
        if not kid or claims["exp"] <= time.time() or keys.find(kid) is None:
            return None
        return claims

    def keep(self, token: str, kid: str, claims: dict[str, Any]) -> None:
        """Keep the claims of a token that is good."""
        with self._lock:
            self._known[token] = kid, claims
