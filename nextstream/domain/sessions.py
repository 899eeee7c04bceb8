"""Sessions: a login on one device, and the refresh tokens that carry it on (RFC 9700 section 4.14.2).

A refresh token is used once. It then names its successor, which is worked out of the token itself
and a nonce in the session: so two tabs that use one token at the same moment get the same
successor, and the database alone can make none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from nextstream.domain.accounts import Scope
from nextstream.domain.audit import Origin

GRACE_S = 10  # for a second tab, or a client that lost the answer

_TOKEN = re.compile(r"nsr_([0-9a-f]{32})_([0-9a-f]{64})")


@dataclass(frozen=True)
class Session:
    """One login; `refresh_hash` is of the token that is good now, `previous_hash` of the one before."""

    id: str
    account_id: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    refresh_hash: str
    previous_hash: str | None = None
    nonce: str | None = None
    address: str | None = None
    user_agent: str | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None


class Turn(StrEnum):
    """What using a refresh token came to."""

    ROTATED = "rotated"
    REPEATED = "repeated"
    REUSED = "reused"
    OVER = "over"


def begin(
    account_id: str, scopes: frozenset[Scope], now: datetime, lifetime_s: float, origin: Origin
) -> tuple[Session, str]:
    """Give a new session and its first refresh token."""
    secret = secrets.token_hex(32)
    session = Session(
        id=secrets.token_hex(16),
        account_id=account_id,
        scopes=tuple(sorted(scopes)),
        created_at=now,
        used_at=now,
        expires_at=now + timedelta(seconds=lifetime_s),
        refresh_hash=_digest(secret),
        address=origin.address,
        user_agent=origin.user_agent,
    )
    return session, _token(session.id, secret)


def parse(token: str) -> tuple[str, str] | None:
    """Give the session's id and the secret in a refresh token, or None where it isn't one."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else None


def is_over(session: Session, now: datetime, idle_s: float) -> bool:
    """Tell whether a session has ended, expired, or gone unused for too long."""
    idle_at = session.used_at + timedelta(seconds=idle_s)
    return session.ended_at is not None or now >= min(session.expires_at, idle_at)


def turn(
    session: Session, secret: str, now: datetime, idle_s: float
) -> tuple[Turn, Session, str | None]:
    """Use a refresh token: give what it came to, the session as it then is, and the successor.

    A token before the current one is one that somebody kept: whoever it is, all tokens of the
    session end. Within GRACE_S of its use the last one gives its successor again.
    """
    if is_over(session, now, idle_s):
        return Turn.OVER, session, None
    used = _digest(secret)
    if hmac.compare_digest(used, session.refresh_hash):
        nonce = secrets.token_hex(16)
        successor = _succeed(secret, nonce)
        rotated = replace(
            session, used_at=now, refresh_hash=_digest(successor), previous_hash=used, nonce=nonce
        )
        return Turn.ROTATED, rotated, _token(session.id, successor)
    is_previous = session.nonce and hmac.compare_digest(used, session.previous_hash or "")
    if is_previous and now - session.used_at <= timedelta(seconds=GRACE_S):
        return Turn.REPEATED, session, _token(session.id, _succeed(secret, session.nonce or ""))
    return Turn.REUSED, end(session, now, "reuse"), None


def knows(session: Session, secret: str) -> bool:
    """Tell whether a refresh token is the session's good one, or the last before it."""
    used = _digest(secret)
    return any(
        hmac.compare_digest(used, known)
        for known in (session.refresh_hash, session.previous_hash)
        if known
    )


def end(session: Session, now: datetime, by: str) -> Session:
    """Give the session ended, for a reason; it keeps an earlier end."""
    return session if session.ended_at else replace(session, ended_at=now, ended_by=by)


def _succeed(secret: str, nonce: str) -> str:
    return hmac.new(secret.encode(), nonce.encode(), hashlib.sha256).hexdigest()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()  # 256 random bits need no slow hash


def _token(session_id: str, secret: str) -> str:
    return f"nsr_{session_id}_{secret}"
