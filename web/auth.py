"""The auth service: accounts, and tokens for them."""

from __future__ import annotations

from flask import Blueprint, Response, g

from nextstream.services import accounts
from web import bodies, http, tokens

blueprint = Blueprint("auth", __name__, url_prefix="/api/v1/auth")


class Registration(http.Body):
    """What a new account needs."""

    name: str
    password: str


class Login(http.Body):
    """Who logs in; `cookies` puts the tokens where a browser keeps them from scripts."""

    name: str
    password: str
    cookies: bool = False


@blueprint.post("/register")
def register() -> Response:
    """Create an account."""
    wish = http.read_json(Registration)
    account = accounts.register(http.platform(), wish.name, wish.password, g.request_id)
    return http.answer(bodies.account(account), 201)


@blueprint.post("/login")
def log_in() -> Response:
    """Give an access and a refresh token for a name and password."""
    login = http.read_json(Login)
    account = accounts.log_in(http.platform(), login.name, login.password, g.request_id)
    made = tokens.issue(account)
    if login.cookies:
        response = http.answer({"expires_in": made.expires_s, "account": bodies.account(account)})
        tokens.set_cookies(response, made.access, made.refresh)
        return response
    return http.answer(
        {
            "access_token": made.access,
            "refresh_token": made.refresh,
            "token_type": "Bearer",
            "expires_in": made.expires_s,
        }
    )


@blueprint.post("/refresh")
def refresh() -> Response:
    """Give a new access token for a refresh token, by the way it came."""
    account = tokens.account(refresh=True)
    access, expires_s = tokens.issue_access(account), http.platform().settings.access_token_s
    if tokens.came_by_cookie():
        response = http.answer({"expires_in": expires_s})
        tokens.set_cookies(response, access)
        return response
    return http.answer({"access_token": access, "token_type": "Bearer", "expires_in": expires_s})


@blueprint.post("/logout")
def log_out() -> Response:
    """Remove the browser's cookies; works without a login, too."""
    response = Response(status=204)
    tokens.unset_cookies(response)
    return response


@blueprint.get("/me")
def me() -> Response:
    """Describe the account whose token this is."""
    return http.answer(bodies.account(tokens.account()))
