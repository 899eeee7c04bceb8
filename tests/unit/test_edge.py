"""The gateway's own check of who asks."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from gateway import ROUTES, edge
from nextstream import wiring
from nextstream.domain.accounts import Role
from nextstream.errors import InvalidToken, NotAuthenticated
from nextstream.ports import Platform
from nextstream.services import accounts, logins
from web import BLUEPRINTS, create_app, tokens

PASSWORD = "correct horse battery"
KEY = f"ns_{'0' * 16}_{'a' * 43}"
REFRESH = f"nsr_{'0' * 32}_{'0' * 64}"


@pytest.fixture
def platform() -> Platform:
    return wiring.in_memory()


@pytest.fixture
def app(platform: Platform) -> Flask:
    return create_app(platform, *BLUEPRINTS)


@pytest.fixture
def token(platform: Platform, app: Flask) -> str:
    accounts.add(platform, "ada", PASSWORD, Role.UPLOADER)
    login = logins.log_in(platform, "ada", PASSWORD)
    with app.test_request_context():
        return tokens.issue(login)


def check(app: Flask, platform: Platform, path: str, method: str = "GET", **headers: str) -> None:
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method}
    edge.check(app, platform.settings, {**environ, **headers})


@pytest.mark.parametrize("path", edge.NEEDS_LOGIN)
def test_strangers_are_turned_away_where_a_login_is_needed(
    app: Flask, platform: Platform, path: str
) -> None:
    for below in ("", "/abc"):
        with pytest.raises(NotAuthenticated):
            check(app, platform, path + below, "POST")
    check(app, platform, path, "OPTIONS")
    check(app, platform, f"{path}-and-more")
    assert any(path.startswith(prefix) for prefix in ROUTES)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/auth/login",
        "/api/v1/auth/register",
        "/api/v1/uploads/a.mp4",
        "/v/abc/master.m3u8",
        "/",
        "/healthz",
        "/.well-known/jwks.json",
    ],
)
def test_what_decides_by_itself_is_let_through(app: Flask, platform: Platform, path: str) -> None:
    check(app, platform, path)


@pytest.mark.parametrize("path", ["/api/v1/videos", "/api/v1/uploads/a.mp4", "/api/v1/auth/login"])
@pytest.mark.parametrize("bearer", ["", "x", "a.b.c", "ns_x_y", f"{KEY}x", REFRESH])
def test_a_bearer_that_can_not_be_good_is_refused_everywhere(
    app: Flask, platform: Platform, path: str, bearer: str
) -> None:
    with pytest.raises(InvalidToken):
        check(app, platform, path, HTTP_AUTHORIZATION=f"bearer {bearer}")


def test_what_may_be_good_goes_on_to_the_service_without_a_look_at_the_database(
    app: Flask, platform: Platform, token: str
) -> None:
    platform.database.away = True  # type: ignore[attr-defined]  # the twin's switch
    for bearer in (token, KEY):
        check(app, platform, "/api/v1/videos", HTTP_AUTHORIZATION=f"Bearer {bearer}")
    check(app, platform, "/api/v1/videos", HTTP_COOKIE="ns_access=x")
    for path in edge.TAKES_REFRESH:
        check(app, platform, path, "POST", HTTP_AUTHORIZATION=f"Bearer {REFRESH}")
    with pytest.raises(InvalidToken):
        check(app, platform, "/api/v1/videos", HTTP_AUTHORIZATION=f"Bearer {token[:-8]}AAAAAAAA")


@pytest.mark.parametrize(
    "name",
    [
        "X-User",
        "X-User-Id",
        "X-Account-Id",
        "X-Auth-User",
        "X-Authenticated-User",
        "X-Forwarded-User",
        "X-Role",
        "X-Scopes",
        "Remote-User",
        "X-Remote-User",
        "X-NextStream-Account",
    ],
)
def test_who_a_client_says_it_is_goes_no_further(name: str) -> None:
    variable = f"HTTP_{name.upper().replace('-', '_')}"
    environ = {variable: "operator", "HTTP_AUTHORIZATION": "Bearer x", "REMOTE_ADDR": "192.0.2.1"}
    edge.drop_identity(environ)
    assert environ == {"HTTP_AUTHORIZATION": "Bearer x", "REMOTE_ADDR": "192.0.2.1"}
