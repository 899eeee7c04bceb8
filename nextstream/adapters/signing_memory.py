"""Keeps signing keys in this process; the twin of the folder, for tests and trials."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from nextstream.domain import signing
from nextstream.domain.signing import SigningKey
from nextstream.ports import Clock


class MemorySigningKeys:
    """Ed25519 keys; `token_s` is how long the longest token lives."""

    def __init__(self, token_s: float, clock: Clock) -> None:
        self._token_s, self._clock = token_s, clock
        self._keys: tuple[SigningKey, ...] = ()

    def signer(self) -> SigningKey:
        """Give the key that signs now, made where there is none."""
        return signing.signer(self._read(), self._clock.now()) or self.rotate(0)

    def published(self) -> Sequence[SigningKey]:
        """Give the keys that tokens may be signed with."""
        return signing.published(self._read(), self._clock.now(), self._token_s) or [self.signer()]

    def find(self, kid: str) -> SigningKey | None:
        """Give a published key."""
        return next((key for key in self.published() if key.kid == kid), None)

    def rotate(self, signs_in_s: float) -> SigningKey:
        """Make a key, and forget those whose time is over."""
        now, keys = self._clock.now(), self._read()  # read once: another process may add one now
        kept = signing.published(keys, now, self._token_s)
        for key in keys:
            if key not in kept:
                self._drop(key.kid)
        made = _make(now + timedelta(seconds=signs_in_s))
        self._keep(made)
        return made

    def replace(self) -> SigningKey:
        """Make a key that signs at once and forget all others."""
        old = self._read()
        made = _make(self._clock.now())
        self._keep(made)
        for key in old:
            self._drop(key.kid)
        return made

    def _read(self) -> Sequence[SigningKey]:
        return self._keys

    def _keep(self, key: SigningKey) -> None:
        self._keys = (*self._keys, key)

    def _drop(self, kid: str) -> None:
        self._keys = tuple(key for key in self._keys if key.kid != kid)


def _make(signs_from: datetime) -> SigningKey:
    jwk = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    kept = {name: str(jwk[name]) for name in ("kty", "crv", "x", "d")}
    return SigningKey(secrets.token_hex(8), kept, signs_from)
