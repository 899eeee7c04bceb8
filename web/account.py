"""The auth service's part for who is logged in: their password, sessions and API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field

from nextstream.domain.accounts import Scope
from nextstream.services import accounts, api_keys, logins, quotas
from web import account_bodies, http, idempotency, tokens

blueprint = Blueprint("account", __name__, url_prefix="/api/v1/auth")

KEY_DAYS_MAX = 3650


class PasswordChange(http.Body):
    """The password so far, and the next one."""

    current: str
    new: str


class KeyWish(http.Body):
    """What a new API key is called and may be used for, and for how many days; None is for ever."""

    name: str
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_in_days: Annotated[int, Field(ge=1, le=KEY_DAYS_MAX)] | None = None


@blueprint.post("/password")
def change_password() -> Response:
    """Change the password; all other sessions end."""
    caller, wish = tokens.account(), http.read_json(PasswordChange)
    ended = accounts.change_password(http.platform(), caller, wish.current, wish.new, http.origin())
    return http.answer({"sessions_ended": ended})


@blueprint.get("/sessions")
def list_sessions() -> Response:
    """List the account's sessions that go on, the last used first."""
    caller = tokens.account()
    found = logins.list_sessions(http.platform(), caller)
    return http.answer({"items": [account_bodies.session(each, caller.session_id) for each in found]})


@blueprint.delete("/sessions")
def end_all_sessions() -> Response:
    """Log out everywhere, here too."""
    ended = logins.end_all(http.platform(), tokens.account(), http.origin())
    return http.answer({"sessions_ended": ended})


@blueprint.delete("/sessions/<session_id>")
def end_session(session_id: str) -> Response:
    """End one session; its tokens die at once."""
    logins.end_session(http.platform(), tokens.account(), session_id, http.origin())
    return Response(status=204)


@blueprint.get("/quota")
def get_quota() -> Response:
    """Tell how much the account may bring in, and how much of it is used."""
    allowed, used = quotas.stand(http.platform(), tokens.account())
    return http.answer(account_bodies.quota(allowed, used))


@blueprint.get("/keys")
def list_keys() -> Response:
    """List the account's API keys, the newest first; their secrets are nowhere kept."""
    found = api_keys.list_keys(http.platform(), tokens.account())
    return http.answer({"items": [account_bodies.api_key(each) for each in found]})


@blueprint.post("/keys")
@idempotency.once
def make_key() -> Response:
    """Make an API key; `key` in the answer is shown this once."""
    caller, wish = tokens.account(), http.read_json(KeyWish)
    days = wish.expires_in_days
    expires_at = http.platform().clock.now() + timedelta(days=days) if days else None
    key, text = api_keys.make(
        http.platform(), caller, wish.name, frozenset(wish.scopes), expires_at, http.origin()
    )
    response = http.answer({**account_bodies.api_key(key), "key": text}, 201)
    response.headers["Location"] = f"/api/v1/auth/keys/{key.id}"
    return response


@blueprint.delete("/keys/<key_id>")
def revoke_key(key_id: str) -> Response:
    """Revoke an API key at once and for good."""
    api_keys.revoke(http.platform(), tokens.account(), key_id, http.origin())
    return Response(status=204)
