"""The JSON that the API gives for accounts and what belongs to them."""

from __future__ import annotations

from datetime import datetime

from nextstream.domain.accounts import Account
from nextstream.domain.api_keys import ApiKey
from nextstream.domain.sessions import Session
from nextstream.ports import AuditEntry, Usage
from nextstream.services.quotas import Quota
from web import account_shapes


def account(found: Account) -> account_shapes.Account:
    """Describe an account to its owner, with what the token or key at hand may be used for."""
    return {
        "id": found.id,
        "name": found.name,
        "role": found.role,
        "scopes": sorted(found.scopes),
        "created_at": found.created_at.isoformat(),
    }


def account_to_operator(found: Account) -> account_shapes.ManagedAccount:
    """Describe an account to an operator."""
    return {
        **account(found),
        "disabled_at": _time(found.disabled_at),
        "quota_bytes": found.quota_bytes,
        "quota_minutes": found.quota_minutes,
        "quota_uploads": found.quota_uploads,
    }


def quota(allowed: Quota, used: Usage) -> account_shapes.Quotas:
    """Describe what an account may have, where null is any, and what it has."""
    return {
        "bytes": {"allowed": allowed.size_bytes or None, "used": used.size_bytes},
        "minutes": {"allowed": allowed.minutes or None, "used": round(used.duration_s / 60, 2)},
        "uploads": {"allowed": allowed.uploads or None, "used": used.uploads},
    }


def session(found: Session, current_id: str | None) -> account_shapes.Session:
    """Describe a session to its owner; `current` marks the one that asks."""
    return {
        "id": found.id,
        "current": found.id == current_id,
        "created_at": _time(found.created_at),
        "used_at": _time(found.used_at),
        "expires_at": _time(found.expires_at),
        "address": found.address,
        "user_agent": found.user_agent,
        "scopes": list(found.scopes),
    }


def api_key(found: ApiKey) -> account_shapes.ApiKey:
    """Describe an API key to its owner, without what would let anyone use it."""
    return {
        "id": found.id,
        "name": found.name,
        "scopes": list(found.scopes),
        "created_at": _time(found.created_at),
        "expires_at": _time(found.expires_at),
        "used_at": _time(found.used_at),
    }


def audit_entry(entry: AuditEntry) -> account_shapes.AuditEntry:
    """Describe a line of the audit log."""
    deed = entry.deed
    return {
        "place": entry.place,
        "time": _time(deed.time),
        "action": deed.action,
        "result": deed.result,
        "actor_id": deed.actor_id,
        "subject_id": deed.subject_id,
        "address": deed.address,
        "request_id": deed.request_id,
        "data": dict(deed.data),
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
