"""The cookies of a browser's login: two tokens scripts can't read, and for each a value they can.

Over HTTPS their names begin with __Host- or __Secure-, so that no other site of the domain and
nobody without TLS can plant them (RFC 6265bis section 4.1.3).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from flask_jwt_extended import set_access_cookies, unset_jwt_cookies

from nextstream.errors import NotAllowed, NotAuthenticated
from nextstream.settings import Settings
from web import http

REFRESH_PATH = "/api/v1/auth"  # so that it rarely travels
CSRF_HEADER = "X-CSRF-TOKEN"
PROOF_NEEDED = f"Send the CSRF cookie's value in the header {CSRF_HEADER}."


@dataclass(frozen=True)
class Names:
    """What the four cookies are called."""

    access: str
    access_csrf: str
    refresh: str
    refresh_csrf: str


def names(settings: Settings) -> Names:
    """Give the cookies' names; only what has the path / may be called __Host-."""
    if settings.secure_cookies:
        return Names(
            "__Host-ns_access", "__Host-ns_csrf", "__Secure-ns_refresh", "__Host-ns_refresh_csrf"
        )
    return Names("ns_access", "ns_csrf", "ns_refresh", "ns_refresh_csrf")


def configuration(settings: Settings) -> dict[str, Any]:
    """Give flask-jwt-extended's settings for them."""
    called = names(settings)
    return {
        "JWT_COOKIE_SECURE": settings.secure_cookies,
        "JWT_COOKIE_SAMESITE": "Lax",  # not Strict: a link from elsewhere should find you logged in
        "JWT_COOKIE_CSRF_PROTECT": True,
        "JWT_SESSION_COOKIE": False,  # a login outlives the browser window, as the token does
        "JWT_ACCESS_COOKIE_NAME": called.access,
        "JWT_ACCESS_CSRF_COOKIE_NAME": called.access_csrf,
        "JWT_REFRESH_COOKIE_NAME": called.refresh,
        "JWT_REFRESH_COOKIE_PATH": REFRESH_PATH,
        "JWT_REFRESH_CSRF_COOKIE_NAME": called.refresh_csrf,
    }


def set_login(response: Response, access: str, refresh: str) -> None:
    """Put the tokens of a login into cookies."""
    settings = http.platform().settings
    called, lifetime_s = names(settings), settings.refresh_token_s
    # The access cookie's CSRF value must outlive the token, or a change after its end would look
    # like a forgery and not like what it is: time to refresh.
    set_access_cookies(response, access, max_age=lifetime_s)
    # Strict: it is only ever sent by our own pages' scripts.
    kept: dict[str, Any] = {
        "max_age": lifetime_s,
        "secure": settings.secure_cookies,
        "samesite": "Strict",
    }
    response.set_cookie(called.refresh, refresh, path=REFRESH_PATH, httponly=True, **kept)
    response.set_cookie(called.refresh_csrf, _proof(refresh), path="/", **kept)


def clear(response: Response) -> None:
    """Remove all cookies of a login."""
    unset_jwt_cookies(response)


def refresh_token(*, proven: bool = True) -> tuple[str, bool]:
    """Give the request's refresh token, and whether it came by cookie.

    Raises NotAuthenticated without one, and NotAllowed for a cookie without its CSRF header where
    `proven` asks for it.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token, False
    cookie = request.cookies.get(names(http.platform().settings).refresh)
    if not cookie:
        raise NotAuthenticated
    if proven and not hmac.compare_digest(
        _proof(cookie).encode(), request.headers.get(CSRF_HEADER, "").encode()
    ):
        raise NotAllowed(PROOF_NEEDED)
    return cookie, True


def _proof(refresh: str) -> str:
    return hashlib.sha256(f"csrf {refresh}".encode()).hexdigest()
