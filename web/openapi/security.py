"""Ways to say who sends a request, and which of them an operation takes."""

from __future__ import annotations

from typing import Any

from nextstream.domain.access import NEEDS, Action
from web import cookies, streaming
from web.contract import Pass

TOKEN, COOKIE, CSRF = "token", "cookie", "csrf"
REFRESH, REFRESH_COOKIE, TICKET = "refreshToken", "refreshCookie", "ticket"

SCHEMES: dict[str, Any] = {
    TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of `log_in`, or an API key of `create_api_key`.",
    },
    COOKIE: {
        "type": "apiKey",
        "in": "cookie",
        "name": "ns_access",
        "description": "A browser's access token; `__Host-ns_access` over HTTPS.",
    },
    CSRF: {
        "type": "apiKey",
        "in": "header",
        "name": cookies.CSRF_HEADER,
        "description": "The value of the cookie `ns_csrf`; for `refresh_tokens` of `ns_refresh_csrf`.",
    },
    REFRESH: {"type": "http", "scheme": "bearer", "description": "A refresh token; each is good once."},
    REFRESH_COOKIE: {
        "type": "apiKey",
        "in": "cookie",
        "name": "ns_refresh",
        "description": "A browser's refresh token; `__Secure-ns_refresh` over HTTPS.",
    },
    TICKET: {
        "type": "apiKey",
        "in": "cookie",
        "name": streaming.TICKET_COOKIE,
        "description": "A ticket of `grant_playback` with `cookie`; it may also stand in the path.",
    },
}
OF_PASS: dict[Pass, list[dict[str, list[str]]]] = {
    Pass.NOTHING: [],
    Pass.ADDRESS: [],
    Pass.REFRESH: [{REFRESH: []}, {REFRESH_COOKIE: [], CSRF: []}],
    Pass.TICKET: [{}, {TICKET: []}],
}


def requirements(access: Action | Pass, *, is_safe: bool) -> list[dict[str, list[str]]]:
    """Give what a request needs, one of these; a token's or key's scopes stand beside it."""
    if isinstance(access, Pass) and access in OF_PASS:
        return OF_PASS[access]
    scopes = [NEEDS[access].value] if isinstance(access, Action) else []
    proof: dict[str, list[str]] = {} if is_safe else {CSRF: []}
    return [{TOKEN: scopes}, {COOKIE: scopes, **proof}]


def describe(access: Action | Pass) -> str:
    """Say in a sentence what a request needs."""
    if isinstance(access, Action):
        return f"Needs the scope `{NEEDS[access]}`."
    return "Open to all." if access is Pass.NOTHING else f"Needs {access}."
