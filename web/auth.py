"""The auth service: registering, logging in and out, and tokens."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import Field
from pydantic.config import JsonDict

from nextstream.domain import sessions
from nextstream.domain.accounts import Scope
from nextstream.errors import (
    AccountExists,
    BadCredentials,
    NotAllowed,
    NotAuthenticated,
    RegistrationClosed,
    TooManyRequests,
    WeakPassword,
)
from nextstream.services import accounts, logins
from nextstream.services.logins import Login
from web import account_bodies, account_shapes, cookies, http, limits, tokens
from web.contract import Pass, operation

blueprint = Blueprint("auth", __name__, url_prefix="/api/v1/auth")
well_known = Blueprint("well_known", __name__, url_prefix="/.well-known")

# Said, but not checked here: the service's refusal says what to do.
PASSWORD: JsonDict = {"minLength": accounts.PASSWORD_MIN, "maxLength": accounts.PASSWORD_MAX}


class Registration(http.Body):
    """What a new account needs."""

    name: Annotated[str, Field(json_schema_extra={"pattern": accounts.NAME})]
    password: Annotated[str, Field(json_schema_extra=PASSWORD)]


class Credentials(http.Body):
    """Who logs in; `cookies` puts the tokens where a browser keeps them from scripts.

    `scopes` are what the tokens may be used for; without them, all that the account may do.
    """

    name: str
    password: str
    cookies: bool = False
    scopes: Annotated[list[Scope], Field(min_length=1)] | None = None


@blueprint.post("/register")
@operation(
    Pass.NOTHING,
    "register_account",
    body=Registration,
    gives={201: account_shapes.Account},
    errors=(AccountExists, RegistrationClosed, TooManyRequests, WeakPassword),
)
def register() -> Response:
    """Create an account."""
    limits.take_from_address("register", http.platform().settings.limit_register)
    wish = http.read_json(Registration)
    account = accounts.register(http.platform(), wish.name, wish.password, http.origin())
    return http.answer(account_bodies.account(account), 201)


@blueprint.post("/login")
@operation(
    Pass.NOTHING,
    body=Credentials,
    gives={200: account_shapes.Login | account_shapes.CookieLogin},
    errors=(BadCredentials, TooManyRequests),
)
def log_in() -> Response:
    """Begin a session for a name and password: an access token, and a refresh token to go on with."""
    limits.take_from_address("login", http.platform().settings.limit_login)
    sent = http.read_json(Credentials)
    scopes = frozenset(sent.scopes) if sent.scopes else None
    login = logins.log_in(http.platform(), sent.name, sent.password, http.origin(), scopes)
    if sent.cookies:
        return _by_cookies(login, account=account_bodies.account(login.account))
    return _by_body(login)


@blueprint.post("/refresh")
@operation(
    Pass.REFRESH,
    "refresh_tokens",
    gives={200: account_shapes.Login | account_shapes.CookieLogin},
    errors=(TooManyRequests,),
)
def refresh() -> Response:
    """Give new tokens for a refresh token, by the way it came; each is used once."""
    limits.take_from_address("login", http.platform().settings.limit_login)
    token, by_cookie = cookies.refresh_token()
    login = logins.refresh(http.platform(), token, http.origin())
    return _by_cookies(login) if by_cookie else _by_body(login)


@blueprint.post("/logout")
@operation(Pass.NOTHING, gives={204: None})
def log_out() -> Response:
    """End the session of the request's token, and remove a browser's cookies; works without, too."""
    with suppress(NotAuthenticated, NotAllowed):  # nothing to end, or not by this request
        _end_session()
    response = Response(status=204)
    if request.cookies:  # another site's form comes without, and must not remove them
        cookies.clear(response)
    return response


@blueprint.get("/me")
@operation(Pass.LOGIN, "get_me", gives={200: account_shapes.Account})
def me() -> Response:
    """Describe the account whose token or key this is, and what it may be used for."""
    return http.answer(account_bodies.account(tokens.account()))


@well_known.get("/jwks.json")
@operation(Pass.NOTHING, "list_public_keys", gives={200: account_shapes.PublicKeys})
def list_keys() -> Response:
    """Give the public keys that access tokens are signed with (RFC 7517)."""
    keys = [key.public for key in http.platform().signing_keys.published()]
    response = http.answer({"keys": keys})
    max_age_s = http.platform().settings.keys_cache_s
    response.headers["Cache-Control"] = f"public, max-age={max_age_s}"
    return response


def _end_session() -> None:
    """End the session of a refresh token, which may come without proof, or of an access token."""
    with suppress(NotAuthenticated):
        token, _ = cookies.refresh_token(proven=False)
        if sessions.parse(token):
            logins.log_out_by_refresh(http.platform(), token, http.origin())
            return
    caller = tokens.caller_of_request()
    if caller.session_id:
        logins.log_out(http.platform(), caller.session_id, http.origin())


def _by_cookies(login: Login, **members: object) -> Response:
    response = http.answer({"expires_in": http.platform().settings.access_token_s, **members})
    cookies.set_login(response, tokens.issue(login), login.refresh_token)
    return response


def _by_body(login: Login) -> Response:
    return http.answer(
        {
            "access_token": tokens.issue(login),
            "refresh_token": login.refresh_token,
            "token_type": "Bearer",  # RFC 6750  # nosec B105
            "expires_in": http.platform().settings.access_token_s,
            "scope": " ".join(login.session.scopes),
        }
    )
