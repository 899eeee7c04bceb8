"""The first check of who asks: cheap, without a database, before a service sees the request.

Services check again, and alone decide: here only what can't be good is turned away, with its body
unread. A token's session may have ended, and an API key may be revoked; a service knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.http import parse_cookie

from nextstream.domain import api_keys, sessions
from nextstream.errors import InvalidToken, NotAuthenticated
from nextstream.settings import Settings
from web import cookies, tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Everything below needs a login. What isn't here decides by itself: pages, playback, logging in,
# and uploads, whose addresses may carry a right of their own.
NEEDS_LOGIN = (
    "/api/v1/accounts",
    "/api/v1/audit",
    "/api/v1/auth/keys",
    "/api/v1/auth/me",
    "/api/v1/auth/password",
    "/api/v1/auth/sessions",
    "/api/v1/events",
    "/api/v1/videos",
    "/api/v1/webhooks",
    "/api/v1/workers",
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})  # others ask for no data
# Here a refresh token is what is asked for.
TAKES_REFRESH = ("/api/v1/auth/logout", "/api/v1/auth/refresh")

# By these some servers tell a service behind them who asks. Ours never do, and no service of ours
# believes them; they go no further, so that none ever will by mistake.
IDENTITY = (
    "HTTP_REMOTE_",
    "HTTP_X_ACCOUNT",
    "HTTP_X_AUTH",
    "HTTP_X_FORWARDED_USER",
    "HTTP_X_NEXTSTREAM_",
    "HTTP_X_REMOTE_",
    "HTTP_X_ROLE",
    "HTTP_X_SCOPE",
    "HTTP_X_USER",
)


def drop_identity(environ: WSGIEnvironment) -> None:
    """Remove headers in which a client says who it is."""
    for name in [name for name in environ if name.startswith(IDENTITY)]:
        del environ[name]


def check(app: Flask, settings: Settings, environ: WSGIEnvironment) -> None:
    """Raise InvalidToken for a bearer that can't be good, NotAuthenticated where one is needed.

    `app` has the keys that verify.
    """
    path = str(environ["PATH_INFO"])
    if not path.startswith("/api/") or environ["REQUEST_METHOD"] not in METHODS:
        return
    kind, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if kind.lower() == "bearer":
        _check_bearer(app, token.strip(), takes_refresh=path in TAKES_REFRESH)
    elif _is_below(path, NEEDS_LOGIN) and not _has_cookie(settings, environ):
        raise NotAuthenticated


def _check_bearer(app: Flask, token: str, *, takes_refresh: bool) -> None:
    if token.startswith(api_keys.PREFIX):
        if not api_keys.parse(token):
            raise InvalidToken("The API key isn't valid.")
    elif not (takes_refresh and sessions.parse(token)):
        with app.app_context():
            tokens.verify(token)


def _has_cookie(settings: Settings, environ: WSGIEnvironment) -> bool:
    return cookies.names(settings).access in parse_cookie(environ)


def _is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)
