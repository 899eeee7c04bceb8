"""The keys that sign access tokens, and when each of them does what.

A new key is published first, signs only when every service must have fetched it, and stays public
after its successor took over until the last token it signed is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

ALGORITHM = "EdDSA"
LEEWAY_S = 10  # seconds that two machines' clocks may differ


@dataclass(frozen=True)
class SigningKey:
    """A key as a JSON Web Key (RFC 7517, 8037); `jwk` has the private part only where it is kept."""

    kid: str
    jwk: Mapping[str, str]
    signs_from: datetime

    @property
    def public(self) -> dict[str, str]:
        """Give the part for everyone, as it stands in the key set."""
        shown = {name: value for name, value in self.jwk.items() if name != "d"}
        return {**shown, "kid": self.kid, "use": "sig", "alg": ALGORITHM}


def signer(keys: Iterable[SigningKey], now: datetime) -> SigningKey | None:
    """Give the key that signs now: the newest whose time has come, else the first of all."""
    ordered = _order(keys)
    begun = [key for key in ordered if key.signs_from <= now]
    return begun[-1] if begun else next(iter(ordered), None)


def published(keys: Iterable[SigningKey], now: datetime, token_s: float) -> Sequence[SigningKey]:
    """Give the keys that tokens may be signed with: those that sign, will, or did of late."""
    ordered = _order(keys)
    longest = timedelta(seconds=token_s + LEEWAY_S)
    kept = [key for key, successor in pairwise(ordered) if now < successor.signs_from + longest]
    return [*kept, *ordered[-1:]]


def _order(keys: Iterable[SigningKey]) -> list[SigningKey]:
    return sorted(keys, key=lambda key: (key.signs_from, key.kid))
