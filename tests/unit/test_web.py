from __future__ import annotations

import io
import socket
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client as WsgiClient
from werkzeug.test import TestResponse

from nextstream import wiring
from nextstream.errors import DatabaseUnavailable, Misconfigured, NextStreamError
from nextstream.ports import Platform
from web import create_app, http, wire
from web.lazy import Lazy


@pytest.fixture
def platform() -> Platform:
    return wiring.in_memory()


def away(platform: Platform) -> Platform:
    class Away:
        def transaction(self) -> Any:
            raise DatabaseUnavailable(detail="db.example.org:5432")

        reading = transaction

    return replace(platform, database=Away())  # type: ignore[arg-type]


def test_an_app_has_the_services_it_was_asked_for_alone(platform: Platform) -> None:
    client = create_app(platform, "auth").test_client()
    assert client.get("/api/v1/auth/me").status_code == 401
    for path in ("/api/v1/videos", "/api/v1/uploads/x", "/", "/static/api.js", "/v/a/master.m3u8"):
        assert client.get(path).status_code == 404


def test_a_service_that_does_not_exist_is_a_wrong_setting(platform: Platform) -> None:
    with pytest.raises(Misconfigured, match="'player'"):
        create_app(platform, "auth", "player")


@pytest.mark.parametrize("key", ["", "short", "k" * 31])
def test_a_key_that_can_be_guessed_is_a_wrong_setting(platform: Platform, key: str) -> None:
    with pytest.raises(Misconfigured, match="NEXTSTREAM_SECRET_KEY"):
        create_app(replace(platform, settings=replace(platform.settings, secret_key=key)), "auth")


def test_a_client_that_falls_silent_in_its_body_is_not_waited_for_for_ever(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a few hundred of them, who need no account, would hold all threads."""
    monkeypatch.setattr(wire, "patience", partial(wire.patience, seconds=0.2))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"{")
        answer = WsgiClient(create_app(platform, "auth"), TestResponse).post(
            "/api/v1/auth/login",
            content_type="application/json",
            environ_overrides={
                "CONTENT_LENGTH": "10",
                "gunicorn.socket": ours,
                "wsgi.input": ours.makefile("rb", buffering=0),
            },
        )
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
        assert ours.gettimeout() is None


def test_what_nobody_foresaw_is_told_without_its_text(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(platform, "auth")

    def fail() -> None:
        raise ZeroDivisionError("the secret of the house")

    app.add_url_rule("/fail", view_func=fail)
    answer = app.test_client().get("/fail", headers={"X-Request-ID": "r7"})
    body = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert (body["code"], body["request_id"], answer.headers["X-Request-ID"]) == ("internal", "r7", "r7")
    assert "secret of the house" not in answer.text
    assert "secret of the house" in capsys.readouterr().out


def test_the_operators_detail_stays_in_the_log(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_app(away(platform), "auth").test_client()
    answer = client.post("/api/v1/auth/login", json={"name": "ada", "password": "not known"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "db.example.org" not in answer.text
    assert "db.example.org" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/api/v1/uploads/direct/{}", "/api/v1/uploads/direct/{}/", "/p/{}/v/a/b"]
)
def test_no_secret_of_an_address_is_in_the_log_whether_it_has_a_route_or_not(
    platform: Platform, capsys: pytest.CaptureFixture[str], path: str, method: str
) -> None:
    """As of a direct upload's URL that somebody opens in a browser, which is no way to use it."""
    client = create_app(platform, "upload", "streaming").test_client()
    client.open(path.format("s3cret-s3cret"), method=method)
    assert "s3cret" not in capsys.readouterr().out


def test_a_process_lives_without_its_database_but_is_not_ready(platform: Platform) -> None:
    client = create_app(away(platform), "streaming").test_client()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.get_json()["checks"] == {"database": "database_unavailable", "storage": "ok"}
    assert create_app(platform, "streaming").test_client().get("/readyz").status_code == 200


def test_pages_alone_need_no_backends(platform: Platform) -> None:
    client = create_app(away(platform), "pages").test_client()
    assert client.get("/readyz").get_json() == {"status": "ready", "checks": {}}
    assert client.get("/login").status_code == 200


def test_registering_is_offered_where_it_is_open(platform: Platform) -> None:
    closed = replace(platform, settings=replace(platform.settings, registration="closed"))
    assert "register" in create_app(platform, "pages").test_client().get("/login").text
    assert "register" not in create_app(closed, "pages").test_client().get("/login").text
    answer = (
        create_app(closed, "auth")
        .test_client()
        .post("/api/v1/auth/register", json={"name": "ada", "password": "correct horse"})
    )
    assert (answer.status_code, answer.get_json()["code"]) == (403, "registration_closed")


def test_over_https_cookies_and_pages_stay_there(platform: Platform) -> None:
    secure = replace(platform, settings=replace(platform.settings, secure_cookies=True))
    client = create_app(secure, "auth", "pages").test_client()
    who = {"name": "ada", "password": "correct horse"}
    client.post("/api/v1/auth/register", json=who)
    answer = client.post("/api/v1/auth/login", json={**who, "cookies": True})
    lines = {line.split("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}
    whole = {"__Host-ns_access", "__Host-ns_csrf", "__Host-ns_refresh_csrf"}
    assert lines.keys() == whole | {"__Secure-ns_refresh"}
    assert all("Secure" in line and "Domain" not in line for line in lines.values())
    assert all("Path=/;" in f"{lines[name]};" for name in whole)
    assert "max-age" in client.get("/login").headers["Strict-Transport-Security"]


def test_public_addresses_are_those_of_the_setting(platform: Platform) -> None:
    public = replace(platform, settings=replace(platform.settings, public_url="https://films.org/"))
    app = create_app(public, "pages")
    with app.test_request_context("/", base_url="http://10.0.0.7:8000"):
        assert http.base_url() == "https://films.org"
    with create_app(platform, "pages").test_request_context("/", base_url="http://10.0.0.7:8000"):
        assert http.base_url() == "http://10.0.0.7:8000"


def test_a_chunked_upload_over_the_limit_is_cut_off(platform: Platform) -> None:
    small = replace(platform, settings=replace(platform.settings, upload_max_bytes=1000))
    client = create_app(small, "auth", "upload", "streaming").test_client()
    who = {"name": "ada", "password": "correct horse"}
    client.post("/api/v1/auth/register", json=who)
    token = client.post("/api/v1/auth/login", json=who).get_json()["access_token"]
    head = {"Authorization": f"Bearer {token}"}
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}

    def put(size_bytes: int) -> Any:
        return client.put(
            "/api/v1/uploads/a.mp4",
            input_stream=_stream(size_bytes),
            headers=head,
            environ_overrides=chunked,
        )

    assert put(1000).status_code == 201
    refused = put(1001)
    assert (refused.status_code, refused.get_json()["code"]) == (413, "upload_too_large")
    states = [video["state"] for video in client.get("/api/v1/videos", headers=head).get_json()["items"]]
    assert sorted(states) == ["failed", "uploaded"]


def _stream(size_bytes: int) -> Any:
    return io.BytesIO(b"x" * size_bytes)


def test_an_app_is_built_once_however_many_ask_first() -> None:
    built = []

    def build() -> Flask:
        time.sleep(0.05)
        built.append(Flask("test"))
        return built[-1]

    app = Lazy(build)
    assert not built
    threads = [threading.Thread(target=lambda: WsgiClient(app).get("/")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_an_error_that_is_no_fault_of_ours_can_be_retried_and_says_when(platform: Platform) -> None:
    app = create_app(platform, "auth")

    class Busy(NextStreamError):
        """Too much to do."""

        code, status, retryable = "busy", 503, True

    def fail() -> None:
        raise Busy("Much too much to do.")

    app.add_url_rule("/fail", view_func=fail)
    body = app.test_client().get("/fail").get_json()
    assert body == {
        "type": "urn:nextstream:problem:busy",
        "title": "Too much to do.",
        "status": 503,
        "code": "busy",
        "detail": "Much too much to do.",
        "request_id": body["request_id"],
    }
