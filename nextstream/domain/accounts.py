"""Accounts, and which scopes each role has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What an account is for; operators may do everything."""

    VIEWER = "viewer"
    UPLOADER = "uploader"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What a token or key may be used for, within what its account's role has."""

    VIDEOS_READ = "videos:read"
    VIDEOS_WRITE = "videos:write"
    UPLOADS_WRITE = "uploads:write"
    WEBHOOKS = "webhooks"
    ACCOUNT = "account"  # its password, sessions and keys: never a key's, which could make others
    ADMIN = "admin"  # everyone's videos and accounts, the events and the audit log


_VIEWER = frozenset({Scope.VIDEOS_READ, Scope.ACCOUNT})
_UPLOADER = _VIEWER | {Scope.VIDEOS_WRITE, Scope.UPLOADS_WRITE, Scope.WEBHOOKS}
SCOPES: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: _VIEWER,
    Role.UPLOADER: _UPLOADER,
    Role.OPERATOR: _UPLOADER | {Scope.ADMIN},
}


@dataclass(frozen=True)
class Account:
    """Someone who can log in; `name` is kept in lower case.

    What an operator has allowed it goes before the quotas of all: None is theirs, 0 is any.
    """

    id: str
    name: str
    password_hash: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None = None
    quota_bytes: int | None = None
    quota_minutes: int | None = None
    quota_uploads: int | None = None

    @property
    def scopes(self) -> frozenset[Scope]:
        """Give what the account may be used for: all that its role has."""
        return SCOPES[self.role]


@dataclass(frozen=True)
class Caller(Account):
    """An account as one request uses it: by a session or by an API key, within its scopes."""

    granted: frozenset[Scope] = frozenset()
    session_id: str | None = None
    key_id: str | None = None

    @property
    def scopes(self) -> frozenset[Scope]:
        """Give what was granted, as far as the role still has it."""
        return SCOPES[self.role] & self.granted
