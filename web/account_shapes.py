"""The JSON bodies the API answers with for accounts and what belongs to them, as types."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic asks for it below Python 3.12

from nextstream.domain.accounts import Role, Scope
from web.shapes import Count, Time


class Account(TypedDict):
    """An account, with what the token or key at hand may be used for."""

    id: str
    name: str
    role: Role
    scopes: list[Scope]
    created_at: Time


class ManagedAccount(Account):
    """An account as operators see it."""

    disabled_at: Time | None
    quota_bytes: Count | None
    quota_minutes: Count | None
    quota_uploads: Count | None


class Allowance(TypedDict):
    """What an account may have of something, where null is any, and what it has."""

    allowed: Count | None
    used: Annotated[float, Field(ge=0)]


class Quotas(TypedDict):
    """How much an account may bring in, and how much of it is used."""

    bytes: Allowance
    minutes: Allowance
    uploads: Allowance


class AccountList(TypedDict):
    """A page of accounts; `next` is what to send as `after`, null at the end."""

    items: list[ManagedAccount]
    next: str | None


class Login(TypedDict):
    """An access token, and a refresh token to go on with; `scope` has what they are good for."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class CookieLogin(TypedDict):
    """A login whose tokens are in cookies; `account` is told by a login, not by a refresh."""

    expires_in: int
    account: NotRequired[Account]


class EndedSessions(TypedDict):
    """How many sessions ended."""

    sessions_ended: Count


class Session(TypedDict):
    """A login that goes on; `current` marks the one that asks."""

    id: str
    current: bool
    created_at: Time | None
    used_at: Time | None
    expires_at: Time | None
    address: str | None
    user_agent: str | None
    scopes: list[Scope]


class SessionList(TypedDict):
    """Sessions, the last used first."""

    items: list[Session]


class ApiKey(TypedDict):
    """An API key, without what would let anyone use it."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: Time | None
    expires_at: Time | None
    used_at: Time | None


class NewApiKey(ApiKey):
    """An API key with its secret, which is shown this once."""

    key: str


class ApiKeyList(TypedDict):
    """API keys, the newest first."""

    items: list[ApiKey]


class AuditEntry(TypedDict):
    """A line of the audit log."""

    place: int
    time: Time | None
    action: str
    result: str
    actor_id: str | None
    subject_id: str | None
    address: str | None
    request_id: str | None
    data: dict[str, Any]


class AuditList(TypedDict):
    """A page of the audit log; `next` is what to send as `before`, null at the end."""

    items: list[AuditEntry]
    next: int | None


class PublicKey(TypedDict):
    """A public key (RFC 8037) that access tokens are signed with."""

    kid: str
    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    alg: str
    use: Literal["sig"]


class PublicKeys(TypedDict):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[PublicKey]
