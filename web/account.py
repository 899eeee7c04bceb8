"""The auth service's part for who is logged in: their password, sessions and API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field
from pydantic.config import JsonDict

from nextstream.domain.access import Action
from nextstream.domain.accounts import Scope
from nextstream.errors import TooManyKeys, TooManyRequests, WeakPassword, WrongPassword
from nextstream.services import accounts, api_keys, logins, quotas
from web import account_bodies, account_shapes, http, idempotency, tokens
from web.contract import Answer, operation

blueprint = Blueprint("account", __name__, url_prefix="/api/v1/auth")

KEY_DAYS_MAX = 3650
# Said, but not checked here: the service's refusal says what to do.
KEY_NAME: JsonDict = {"minLength": 1, "maxLength": api_keys.NAME_MAX, "pattern": r"\S"}


class PasswordChange(http.Body):
    """The password so far, and the next one."""

    current: str
    new: str


class KeyWish(http.Body):
    """What a new API key is called and may be used for, and for how many days; None is for ever."""

    name: Annotated[str, Field(json_schema_extra=KEY_NAME)]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_in_days: Annotated[int, Field(ge=1, le=KEY_DAYS_MAX), http.WHOLE] | None = None


@blueprint.post("/password")
@operation(
    Action.MANAGE_ACCOUNT,
    body=PasswordChange,
    gives={200: account_shapes.EndedSessions},
    errors=(TooManyRequests, WeakPassword, WrongPassword),
)
def change_password() -> Response:
    """Change the password; all other sessions end."""
    caller, wish = tokens.account(), http.read_json(PasswordChange)
    ended = accounts.change_password(http.platform(), caller, wish.current, wish.new, http.origin())
    return http.answer({"sessions_ended": ended})


@blueprint.get("/sessions")
@operation(Action.MANAGE_ACCOUNT, gives={200: account_shapes.SessionList})
def list_sessions() -> Response:
    """List the account's sessions that go on, the last used first."""
    caller = tokens.account()
    found = logins.list_sessions(http.platform(), caller)
    return http.answer({"items": [account_bodies.session(each, caller.session_id) for each in found]})


@blueprint.delete("/sessions")
@operation(Action.MANAGE_ACCOUNT, gives={200: account_shapes.EndedSessions})
def end_all_sessions() -> Response:
    """Log out everywhere, here too."""
    ended = logins.end_all(http.platform(), tokens.account(), http.origin())
    return http.answer({"sessions_ended": ended})


@blueprint.delete("/sessions/<session_id>")
@operation(Action.MANAGE_ACCOUNT, gives={204: None})
def end_session(session_id: str) -> Response:
    """End one session; its tokens die at once."""
    logins.end_session(http.platform(), tokens.account(), session_id, http.origin())
    return Response(status=204)


@blueprint.get("/quota")
@operation(Action.READ_VIDEO, gives={200: account_shapes.Quotas})
def get_quota() -> Response:
    """Tell how much the account may bring in, and how much of it is used."""
    allowed, used = quotas.stand(http.platform(), tokens.account())
    return http.answer(account_bodies.quota(allowed, used))


@blueprint.get("/keys")
@operation(Action.MANAGE_ACCOUNT, "list_api_keys", gives={200: account_shapes.ApiKeyList})
def list_keys() -> Response:
    """List the account's API keys, the newest first; their secrets are nowhere kept."""
    found = api_keys.list_keys(http.platform(), tokens.account())
    return http.answer({"items": [account_bodies.api_key(each) for each in found]})


@blueprint.post("/keys")
@operation(
    Action.MANAGE_ACCOUNT,
    "create_api_key",
    body=KeyWish,
    gives={201: Answer(account_shapes.NewApiKey, headers=("Location",))},
    errors=(TooManyKeys,),
)
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
@operation(Action.MANAGE_ACCOUNT, "revoke_api_key", gives={204: None})
def revoke_key(key_id: str) -> Response:
    """Revoke an API key at once and for good."""
    api_keys.revoke(http.platform(), tokens.account(), key_id, http.origin())
    return Response(status=204)
