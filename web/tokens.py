"""Tokens by flask-jwt-extended: how they are made, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, Response, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
    get_jwt_identity,
    get_jwt_request_location,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException, NoAuthorizationError
from jwt.exceptions import PyJWTError

from nextstream.domain.accounts import Account
from nextstream.errors import InvalidToken, Misconfigured, NotAllowed, NotAuthenticated
from nextstream.services import accounts
from nextstream.settings import Settings
from web.http import platform

ISSUER = "nextstream"
ACCESS_COOKIE = "ns_access"
REFRESH_COOKIE = "ns_refresh"
KEY_MIN = 32  # bytes; RFC 7518 section 3.2 for HS256
REQUIRED = ("exp", "iat", "jti", "sub", "type", "iss", "aud")


@dataclass(frozen=True)
class Tokens:
    """A pair of tokens; the access token is good for `expires_s` seconds."""

    access: str
    refresh: str
    expires_s: int


def install(app: Flask, settings: Settings) -> None:
    """Set flask-jwt-extended up; raises Misconfigured for a key that can be guessed."""
    if len(settings.secret_key) < KEY_MIN:
        raise Misconfigured(f"NEXTSTREAM_SECRET_KEY must have at least {KEY_MIN} characters.")
    app.config.update(_configuration(settings))
    JWTManager(app).token_verification_loader(_is_whole)


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "JWT_SECRET_KEY": settings.secret_key,
        "JWT_ALGORITHM": "HS256",
        "JWT_DECODE_ALGORITHMS": ["HS256"],  # never a second family beside it: RFC 8725 section 3.1
        # A token of another system with the same key is none of ours.
        "JWT_ENCODE_ISSUER": ISSUER,
        "JWT_DECODE_ISSUER": ISSUER,
        "JWT_ENCODE_AUDIENCE": ISSUER,
        "JWT_DECODE_AUDIENCE": ISSUER,
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=settings.access_token_s),
        "JWT_REFRESH_TOKEN_EXPIRES": timedelta(seconds=settings.refresh_token_s),
        "JWT_DECODE_LEEWAY": 10,  # seconds that two machines' clocks may differ
        "JWT_TOKEN_LOCATION": ["headers", "cookies"],  # never the query: addresses end up in logs
        "JWT_COOKIE_SECURE": settings.secure_cookies,
        "JWT_COOKIE_SAMESITE": "Lax",  # not Strict: a link from elsewhere should find you logged in
        "JWT_COOKIE_CSRF_PROTECT": True,
        "JWT_SESSION_COOKIE": False,  # a login outlives the browser window, as the token does
        "JWT_ACCESS_COOKIE_NAME": ACCESS_COOKIE,
        "JWT_REFRESH_COOKIE_NAME": REFRESH_COOKIE,
        "JWT_REFRESH_COOKIE_PATH": "/api/v1/auth",  # so that it rarely travels
        "JWT_ACCESS_CSRF_COOKIE_NAME": "ns_csrf",
        "JWT_REFRESH_CSRF_COOKIE_NAME": "ns_refresh_csrf",
    }


def _is_whole(_: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Refuse a token that would be good for ever, or can't be told from others."""
    return all(claims.get(name) for name in REQUIRED)


def account(*, refresh: bool = False) -> Account:
    """Give whose token the request carries, in its header or cookie.

    Raises NotAuthenticated, InvalidToken, and NotAllowed for a cookie without the CSRF header.
    """
    try:
        verify_jwt_in_request(refresh=refresh)
    except NoAuthorizationError as error:
        raise NotAuthenticated(detail=str(error)) from error
    except CSRFError as error:
        raise NotAllowed("Send the CSRF cookie's value in the header X-CSRF-TOKEN.") from error
    except (JWTExtendedException, PyJWTError) as error:
        raise InvalidToken(detail=str(error)) from error
    return accounts.get(platform(), get_jwt_identity())


def account_of_cookie() -> Account:
    """Give whose access cookie the request carries, for pages that can't send the CSRF header.

    Their changes must be kept from other sites in another way. Raises as `account`.
    """
    cookie = request.cookies.get(ACCESS_COOKIE)
    if not cookie:
        raise NotAuthenticated
    try:
        claims = decode_token(cookie)
    except (JWTExtendedException, PyJWTError) as error:
        raise InvalidToken(detail=str(error)) from error
    if claims["type"] != "access" or not _is_whole({}, claims):
        raise InvalidToken
    return accounts.get(platform(), claims["sub"])


def came_by_cookie() -> bool:
    """Tell whether the token that `account` found was in a cookie."""
    return get_jwt_request_location() == "cookies"


def issue(whose: Account) -> Tokens:
    """Make a pair of tokens."""
    settings = platform().settings
    return Tokens(issue_access(whose), create_refresh_token(whose.id), settings.access_token_s)


def issue_access(whose: Account) -> str:
    """Make an access token."""
    token: str = create_access_token(whose.id)
    return token


def set_cookies(response: Response, access: str, refresh: str | None = None) -> None:
    """Put tokens into cookies that scripts can't read, with CSRF values that ours can."""
    settings = platform().settings
    # The access cookie's CSRF value must outlive the token, or a change after its end would look
    # like a forgery and not like what it is: time to refresh.
    set_access_cookies(response, access, max_age=settings.refresh_token_s)
    if refresh is not None:
        set_refresh_cookies(response, refresh, max_age=settings.refresh_token_s)


def unset_cookies(response: Response) -> None:
    """Remove all cookies of a login."""
    unset_jwt_cookies(response)
