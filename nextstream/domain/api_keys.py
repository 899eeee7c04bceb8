"""API keys, `ns_<id>_<secret>`: for programs, which can't log in."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from nextstream.domain.accounts import Scope

PREFIX = "ns_"
USED_EVERY_S = 60  # so that a busy key isn't a write for each request

_KEY = re.compile(r"ns_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept: its secret only as a hash."""

    id: str
    account_id: str
    name: str
    secret_hash: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None


def make(
    account_id: str,
    name: str,
    scopes: frozenset[Scope],
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Give a new key, and its text, which is shown once."""
    id_, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    # A fast hash will do: nobody guesses 256 random bits.
    key = ApiKey(id_, account_id, name, _digest(secret), tuple(sorted(scopes)), now, expires_at)
    return key, f"{PREFIX}{id_}_{secret}"


def parse(text: str) -> tuple[str, str] | None:
    """Give the id and the secret of a key's text, or None where it isn't one."""
    found = _KEY.fullmatch(text)
    return (found[1], found[2]) if found else None


def is_good(key: ApiKey, secret: str, now: datetime) -> bool:
    """Tell whether the secret is the key's, and the key neither revoked nor expired."""
    fits = hmac.compare_digest(_digest(secret), key.secret_hash)
    return fits and key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def notes_use(key: ApiKey, now: datetime) -> bool:
    """Tell whether a use is to be noted: the first, and then once a minute at most."""
    return key.used_at is None or now - key.used_at >= timedelta(seconds=USED_EVERY_S)


def is_first_of_day(key: ApiKey, now: datetime) -> bool:
    """Tell whether a use is the first on its day, in UTC, and so an event."""
    return key.used_at is None or key.used_at.date() != now.date()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
