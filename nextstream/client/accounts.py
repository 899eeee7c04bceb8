"""Accounts: who one is, one's password, sessions and API keys; and for operators everyone's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nextstream.client.account_values import Account, ApiKey, AuditEntry, Quota, Role, Session
from nextstream.client.transport import Transport, new_key, part, said
from nextstream.client.values import PlacedEvent, Worker, read


class Me:
    """The account that is logged in, or whose API key this is."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def get(self) -> Account:
        """Describe the account, with what the token or key at hand may be used for."""
        return read(Account, self._http.json("GET", "/api/v1/auth/me"))

    def quota(self) -> Quota:
        """Tell how much the account may bring in, and how much of it is used."""
        return read(Quota, self._http.json("GET", "/api/v1/auth/quota"))

    def change_password(self, current: str, new: str) -> int:
        """Change the password, and give how many other sessions ended by that."""
        body = {"current": current, "new": new}
        answer = self._http.json("POST", "/api/v1/auth/password", json=body)
        return int(answer["sessions_ended"])

    def log_out(self) -> None:
        """End this session; an API key has none, and stays."""
        self._http.call("POST", "/api/v1/auth/logout")


class Sessions:
    """The logins of the account that go on."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self) -> tuple[Session, ...]:
        """Give them, the last used first."""
        items = self._http.json("GET", "/api/v1/auth/sessions")["items"]
        return tuple(read(Session, item) for item in items)

    def end(self, session_id: str) -> None:
        """End one; its tokens die at once."""
        self._http.call("DELETE", f"/api/v1/auth/sessions/{part(session_id)}")

    def end_all(self) -> int:
        """Log out everywhere, here too; gives how many ended."""
        return int(self._http.json("DELETE", "/api/v1/auth/sessions")["sessions_ended"])


class ApiKeys:
    """The API keys of the account, for programs; a key can't manage keys."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self) -> tuple[ApiKey, ...]:
        """Give them, the newest first."""
        items = self._http.json("GET", "/api/v1/auth/keys")["items"]
        return tuple(read(ApiKey, item) for item in items)

    def make(self, name: str, scopes: Iterable[str], expires_in_days: int | None = None) -> ApiKey:
        """Make one; its `key` is shown this once."""
        body = {"name": name, "scopes": [*map(str, scopes)], "expires_in_days": expires_in_days}
        return read(ApiKey, self._http.json("POST", "/api/v1/auth/keys", json=body, key=new_key()))

    def revoke(self, key_id: str) -> None:
        """Revoke one, at once and for good."""
        self._http.call("DELETE", f"/api/v1/auth/keys/{part(key_id)}")


class Operators:
    """What operators see and do: everyone's accounts, the audit log, events and workers."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def accounts(self) -> Iterator[Account]:
        """Give all accounts by name."""
        pages = self._http.pages("/api/v1/accounts", {"limit": 100}, "after")
        return (read(Account, item) for item in pages)

    def account(self, account_id: str) -> Account:
        """Describe an account."""
        return read(Account, self._http.json("GET", f"/api/v1/accounts/{part(account_id)}"))

    def change_account(
        self,
        account_id: str,
        *,
        role: Role | str | None = None,
        disabled: bool | None = None,
        quotas: Mapping[str, int | None] | None = None,
    ) -> Account:
        """Change an account's role, or disable or enable it, or give it quotas of its own.

        `quotas` are `quota_bytes`, `quota_minutes` and `quota_uploads`: 0 is any, None the server's.
        """
        wishes = {"role": role and str(role), "disabled": disabled}
        body = said(wishes) | dict(quotas or {})
        path = f"/api/v1/accounts/{part(account_id)}"
        return read(Account, self._http.json("PATCH", path, json=body))

    def end_sessions(self, account_id: str) -> int:
        """Log an account out everywhere, and give how many sessions ended; its API keys stay."""
        path = f"/api/v1/accounts/{part(account_id)}/sessions"
        return int(self._http.json("DELETE", path)["sessions_ended"])

    def audit(self, *, account: str | None = None, action: str | None = None) -> Iterator[AuditEntry]:
        """Give the audit log, newest first."""
        query = {"account": account, "action": action, "limit": 100}
        pages = self._http.pages("/api/v1/audit", query, "before")
        return (read(AuditEntry, item) for item in pages)

    def events(self, *, after: int = 0, key: str | None = None) -> Iterator[PlacedEvent]:
        """Give what happened, oldest first, up to now; `key` is what it is about, as a video's id."""
        query = {"after": after, "key": key, "limit": 100}
        pages = self._http.pages("/api/v1/events", query, "after")
        return (read(PlacedEvent, item) for item in pages)

    def workers(self) -> tuple[Worker, ...]:
        """Give the workers that encode."""
        items = self._http.json("GET", "/api/v1/workers")["items"]
        return tuple(read(Worker, item) for item in items)
