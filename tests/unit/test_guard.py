from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from werkzeug.test import Client, TestResponse

import gateway
from gateway import guard, route_of
from nextstream import wiring
from nextstream.errors import BadRequest

GOOD = {"HTTP_HOST": "example.org", "SERVER_PROTOCOL": "HTTP/1.1"}


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/api/v1/uploads/",
        "/api/v1/uploads/My%20film%20%C3%A4.mp4",
        "/api/v1/uploads/a..b.mp4?title=../x//y",
        "/v/abc/v1/v720/00001.m4s",
        "/api/v1/uploads/100%25.mp4",
        "/api/v1/uploads/%252e%252e",
    ],
)
def test_a_plain_path_passes(target: str) -> None:
    guard.check({**GOOD, "RAW_URI": target})


@pytest.mark.parametrize(
    "target",
    [
        "/v/abc/../../etc/passwd",
        "/v/abc/..",
        "/v/abc/.",
        "/./v",
        "/v/abc/%2e%2e/x",
        "/v/abc/.%2E/x",
        "/v/abc%2fsource",
        "/v/abc%2Fsource",
        "/v/abc%5csource",
        "/v/abc\\source",
        "/v/abc%00.m4s",
        "/v/abc%0d%0aX:y",
        "/v/abc%7f",
        "//v/abc",
        "/v//abc",
        "/api/v1/auth//me",
        "http://elsewhere.org/v/abc",
        "*",
        "",
    ],
)
def test_a_path_that_two_servers_could_read_in_two_ways_is_refused(target: str) -> None:
    with pytest.raises(BadRequest):
        guard.check({**GOOD, "RAW_URI": target})


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_TRANSFER_ENCODING": "gzip, chunked"},
        {"HTTP_TRANSFER_ENCODING": "identity"},
        {"HTTP_CONNECTION": "close, X-Forwarded-For"},
        {"HTTP_CONNECTION": "Authorization"},
        {"HTTP_HOST": ""},
    ],
    ids=str,
)
def test_headers_that_two_servers_could_read_in_two_ways_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        guard.check({**GOOD, "RAW_URI": "/", **change})


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_TRANSFER_ENCODING": "Chunked"},
        {"HTTP_CONNECTION": "keep-alive, Upgrade, HTTP2-Settings"},
        {"HTTP_CONNECTION": "TE,close"},
        {"HTTP_HOST": "", "SERVER_PROTOCOL": "HTTP/1.0"},
    ],
    ids=str,
)
def test_ordinary_headers_pass(change: dict[str, str]) -> None:
    guard.check({**GOOD, "RAW_URI": "/", **change})


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/auth", "auth"),
        ("/api/v1/auth/login", "auth"),
        ("/api/v1/authors", None),
        ("/api/v1/uploads/clip.mp4", "upload"),
        ("/api/v1/videos", "streaming"),
        ("/api/v1/events", "streaming"),
        ("/v/abc/master.m3u8", "streaming"),
        ("/video", None),
        ("/watch/abc", None),
        ("/", None),
    ],
)
def test_a_path_belongs_to_one_service_or_to_the_pages(path: str, service: str | None) -> None:
    route = route_of(path)
    assert (route and route.service) == service


def test_each_route_has_a_patience_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gateway.ROUTES, "/v", gateway.Route("streaming", 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        platform = wiring.in_memory()
        settings = replace(platform.settings, streaming_url=url)
        app = gateway.create_app(replace(platform, settings=settings))
        path = "/v/a/master.m3u8"
        answer = Client(app, TestResponse).get(path, environ_base={"RAW_URI": path})
    assert (answer.status_code, answer.get_json()["code"]) == (504, "service_timeout")
