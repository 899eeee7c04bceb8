"""Accounts and what belongs to them, as frozen dataclasses; times have a time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What an account is for."""

    VIEWER = "viewer"
    UPLOADER = "uploader"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What a token or key may be used for."""

    VIDEOS_READ = "videos:read"
    VIDEOS_WRITE = "videos:write"
    UPLOADS_WRITE = "uploads:write"
    WEBHOOKS = "webhooks"
    ACCOUNT = "account"
    ADMIN = "admin"


@dataclass(frozen=True)
class Account:
    """Someone who can log in; `scopes` are what the token or key at hand may be used for.

    Operators are told the quotas that the account has of its own, and when it was disabled.
    """

    id: str
    name: str
    role: Role
    scopes: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None = None
    quota_bytes: int | None = None
    quota_minutes: int | None = None
    quota_uploads: int | None = None


@dataclass(frozen=True)
class Share:
    """How much of something is used, and allowed; None allows any."""

    used: float
    allowed: float | None = None


@dataclass(frozen=True)
class Quota:
    """How much the account may bring in, and has: bytes, minutes of video, and uploads at once."""

    bytes: Share
    minutes: Share
    uploads: Share


@dataclass(frozen=True)
class Session:
    """A login that goes on; `current` is the one that asks."""

    id: str
    current: bool
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    scopes: tuple[str, ...]
    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True)
class ApiKey:
    """An API key; `key` is its text, only in the answer that made it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AuditEntry:
    """A line of the audit log."""

    place: int
    time: datetime
    action: str
    result: str
    actor_id: str | None = None
    subject_id: str | None = None
    address: str | None = None
    request_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
