"""Fetches the public signing keys from the auth service, as a JSON Web Key Set (RFC 7517)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import structlog
import urllib3

from nextstream.domain.signing import SigningKey
from nextstream.errors import Misconfigured, ServiceUnavailable

log = structlog.get_logger()

PATH = "/.well-known/jwks.json"
TIMEOUT_S = 2.0
AGAIN_S = 5.0  # between fetches for ids nobody knows: else made-up ones would be a way to flood auth
FIRST_AGAIN_S = 1.0  # between fetches while there is nothing to go on with
NEVER = -1e9
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
NOT_HERE = "Only the auth service has the private keys; run this where NEXTSTREAM_AUTH_URL is empty."


class RemoteSigningKeys:
    """The keys at an auth service's address, kept for `cache_s` seconds, and while it is away."""

    def __init__(self, url: str, cache_s: float, tell_s: Callable[[], float] = time.monotonic) -> None:
        self._url, self._cache_s, self._tell_s = url.rstrip("/") + PATH, cache_s, tell_s
        self._http = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S, maxsize=2)
        self._keys: dict[str, SigningKey] = {}
        self._fetched_s = self._tried_s = NEVER
        self._lock = Lock()

    def signer(self) -> SigningKey:
        """Raise Misconfigured: nobody signs here."""
        raise Misconfigured(NOT_HERE)

    def rotate(self, signs_in_s: float) -> SigningKey:  # noqa: ARG002  as the port has it
        """Raise Misconfigured: nothing is kept here."""
        raise Misconfigured(NOT_HERE)

    def replace(self) -> SigningKey:
        """Raise Misconfigured: nothing is kept here."""
        raise Misconfigured(NOT_HERE)

    def published(self) -> list[SigningKey]:
        """Give the keys as last fetched; raises ServiceUnavailable where they never were."""
        self._renew(max_age_s=self._cache_s)
        if not self._keys:
            raise ServiceUnavailable(detail="no signing keys from the auth service yet")
        return list(self._keys.values())

    def find(self, kid: str) -> SigningKey | None:
        """Give a key; one that isn't there may be new, so all are fetched, but not each time."""
        self.published()
        if kid not in self._keys:
            self._renew(max_age_s=AGAIN_S)
        return self._keys.get(kid)

    def _renew(self, max_age_s: float) -> None:
        with self._lock:  # one fetches, the others wait for it
            now_s = self._tell_s()
            again_s = AGAIN_S if self._keys else FIRST_AGAIN_S
            has_failed = self._tried_s > self._fetched_s
            if now_s - self._fetched_s < max_age_s or (has_failed and now_s - self._tried_s < again_s):
                return
            self._tried_s = now_s
            try:
                self._keys, self._fetched_s = _fetch(self._http, self._url), now_s
            except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
                log.warning("signing keys not fetched", error=str(error))


def _fetch(http: urllib3.PoolManager, url: str) -> dict[str, SigningKey]:
    answer = http.request("GET", url)
    if answer.status != 200:
        raise ValueError(f"status {answer.status}")
    keys = [_parse(jwk) for jwk in json.loads(answer.data)["keys"]]
    if not keys:
        raise ValueError("the set is empty")
    return {key.kid: key for key in keys}


def _parse(jwk: Mapping[str, Any]) -> SigningKey:
    public = {name: str(jwk[name]) for name in ("kty", "crv", "x")}
    return SigningKey(str(jwk["kid"]), public, LONG_AGO)
