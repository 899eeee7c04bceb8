"""Events of accounts; the key is the account's id, or `unknown`."""

from __future__ import annotations

from dataclasses import dataclass

from nextstream.domain.event_types.declaring import Data, declare, tells


@dataclass(frozen=True, kw_only=True)
class _Account(Data):
    result: str = tells("`ok` or `refused`.")
    by: str | None = tells("The account that did it; absent for strangers and the command line.", None)


@dataclass(frozen=True, kw_only=True)
class _Subject(_Account):
    subject: str | None = tells("What it was done to: a session, key or account.", None)


@declare("auth.registered")
@dataclass(frozen=True, kw_only=True)
class Registered(_Account):
    """An account was made."""

    name: str = tells("Its name.")
    role: str = tells("Its role.")


@declare("auth.logged_in")
@dataclass(frozen=True, kw_only=True)
class LoggedIn(_Subject):
    """A login began a session."""


@declare("auth.refresh_rotated")
@dataclass(frozen=True, kw_only=True)
class RefreshRotated(_Subject):
    """A refresh token was used, and the session has another one."""


@declare("auth.refresh_reused")
@dataclass(frozen=True, kw_only=True)
class RefreshReused(_Subject):
    """A refresh token was used again: someone may have stolen it, so its session was ended."""


@declare("auth.login_failed")
@dataclass(frozen=True, kw_only=True)
class LoginFailed(_Account):
    """A login was refused."""


@declare("auth.locked_out")
@dataclass(frozen=True, kw_only=True)
class LockedOut(_Account):
    """A name has to wait after too many failed logins."""

    wait_s: float = tells("How long.")


@declare("auth.logged_out")
@dataclass(frozen=True, kw_only=True)
class LoggedOut(_Subject):
    """A session was ended."""

    reason: str = tells("`logout`, or `owner` where it was ended from another session.")


@declare("auth.logged_out_everywhere")
@dataclass(frozen=True, kw_only=True)
class LoggedOutEverywhere(_Account):
    """All sessions of an account were ended."""

    sessions_ended: int = tells("How many there were.")


@declare("auth.password_changed")
@dataclass(frozen=True, kw_only=True)
class PasswordChanged(_Account):
    """An account has a new password, or was refused one by a wrong old one."""

    account_id: str | None = tells("The account.", None)
    sessions_ended: int | None = tells("How many other sessions were ended.", None)


@declare("auth.role_changed")
@dataclass(frozen=True, kw_only=True)
class RoleChanged(_Subject):
    """An account has another role."""

    account_id: str = tells("The account.")
    before: str = tells("The role it had.")
    after: str = tells("The role it has.")


@declare("auth.disabled")
@dataclass(frozen=True, kw_only=True)
class Disabled(_Subject):
    """An account is kept out, and its sessions ended."""

    account_id: str = tells("The account.")


@declare("auth.enabled")
@dataclass(frozen=True, kw_only=True)
class Enabled(_Subject):
    """An account is let in again."""

    account_id: str = tells("The account.")


@declare("auth.sessions_ended")
@dataclass(frozen=True, kw_only=True)
class SessionsEnded(_Subject):
    """An operator ended all sessions of an account."""

    account_id: str = tells("The account.")
    sessions_ended: int = tells("How many there were.")


@declare("auth.quotas_changed")
@dataclass(frozen=True, kw_only=True)
class QuotasChanged(_Subject):
    """An account has other quotas of its own; absent is one that stays, null is that of all."""

    account_id: str = tells("The account.")
    quota_bytes: int | None = tells("Bytes it may have here.", None)
    quota_minutes: int | None = tells("Minutes of video it may have here.", None)
    quota_uploads: int | None = tells("Uploads it may have under way at once.", None)


@declare("auth.key_made")
@dataclass(frozen=True, kw_only=True)
class KeyMade(_Subject):
    """An API key was made."""

    key_name: str = tells("Its name.")
    scopes: list[str] = tells("What it may do.")


@declare("auth.key_revoked")
@dataclass(frozen=True, kw_only=True)
class KeyRevoked(_Subject):
    """An API key was ended."""


@declare("auth.key_used")
@dataclass(frozen=True, kw_only=True)
class KeyUsed(_Subject):
    """An API key was used, for the first time on a day."""


@declare("auth.signing_key_rotated")
@dataclass(frozen=True, kw_only=True)
class SigningKeyRotated(_Subject):
    """A new key is going to sign access tokens."""

    signs_from: str = tells("From when on, by RFC 3339.")
    at_once: bool = tells("Whether all older keys were forgotten.")
