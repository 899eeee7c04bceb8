"""What docs/security.md promises beyond what other tests show, and that those tests are there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import Client, TestResponse

import gateway
from nextstream import wiring
from nextstream.domain import api_keys, sessions, webhooks
from nextstream.domain.accounts import Scope
from nextstream.domain.audit import NOWHERE
from nextstream.ports import Platform
from web import BLUEPRINTS, create_app

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text()
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def platform() -> Platform:
    return wiring.in_memory()


@pytest.fixture
def client(platform: Platform) -> FlaskClient:
    return create_app(platform, *BLUEPRINTS).test_client()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(\w+/test_\w+\.py::test_\w+)`", PAGE))))
def test_the_tests_that_the_page_names_are_there(named: str) -> None:
    file, name = named.split("::")
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE)


def test_every_point_of_a_table_names_what_shows_it() -> None:
    tables = PAGE.partition("### V3")[2].partition("### Not met")[0]
    rows = [line.split("|")[1:3] for line in tables.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 40
    assert not [point for point, shown in rows if not re.search(r"`|\.md|above", shown)]


@pytest.mark.parametrize(
    ("path", "type_", "policy"),
    [
        ("/login", "text/html; charset=utf-8", "script-src 'self'"),
        ("/static/api.js", "text/javascript; charset=utf-8", "default-src 'none'"),
        ("/api/v1/videos", "application/problem+json", "default-src 'none'"),
        ("/healthz", "application/json", "default-src 'none'"),
    ],
)
def test_every_answer_has_the_headers_of_its_kind(
    client: FlaskClient, path: str, type_: str, policy: str
) -> None:
    headers = client.get(path).headers
    assert headers["Content-Type"] == type_
    assert policy in headers["Content-Security-Policy"]
    assert "frame-ancestors" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_other_sites_may_use_the_api_by_setting_alone(platform: Platform) -> None:
    origin = {"Origin": "https://films.example"}
    for origins, allowed in (("", None), (origin["Origin"], origin["Origin"])):
        chosen = replace(platform, settings=replace(platform.settings, cors_origins=origins))
        answer = create_app(chosen, *BLUEPRINTS).test_client().get("/api/v1/videos", headers=origin)
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/videos", {"Authorization": "Bearer a.b.c"}, 401),
        ("/api/v1/videos", {}, 401),
        ("/api/v1/videos//x", {}, 400),
    ],
)
def test_a_page_of_another_site_can_read_why_the_gateway_refuses_it(
    platform: Platform, path: str, headers: dict[str, str], status: int
) -> None:
    """Else its fetch() fails as if the network were away, and never learns that it should refresh."""
    settings = replace(platform.settings, cors_origins="https://films.example")
    app = Client(gateway.create_app(replace(platform, settings=settings)), TestResponse)
    for origin, allowed in (("https://films.example",) * 2, ("https://evil.example", None)):
        sent = {"Origin": origin, **headers}
        answer = app.get(path, headers=sent, environ_base={"RAW_URI": path})
        assert answer.status_code == status
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert answer.headers["Vary"] == "Origin"


def test_another_site_can_read_where_it_stands_in_its_quota(platform: Platform) -> None:
    settings = replace(platform.settings, cors_origins="*")
    app = create_app(replace(platform, settings=settings), *BLUEPRINTS).test_client()
    answer = app.post("/api/v1/auth/login", json={}, headers={"Origin": "https://films.example"})
    shown = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    told = {name for name, _ in answer.headers if name.startswith("RateLimit-")}
    assert "RateLimit-Remaining" in told
    assert told <= shown


class _Fields(HTMLParser):
    """Collects the input fields of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "input":
            self.found.append(dict(attrs))


@pytest.mark.parametrize(("path", "count"), [("/login", 1), ("/account", 2)])
def test_fields_for_passwords_hide_them_and_take_what_is_pasted(
    client: FlaskClient, path: str, count: int
) -> None:
    fields = _Fields()
    fields.feed(client.get(path).text)
    secret = [each for each in fields.found if "password" in (each.get("autocomplete") or "")]
    assert len(secret) == count
    assert {each["type"] for each in secret} == {"password"}
    assert not [each for each in secret if "onpaste" in each or "maxlength" in each]


def test_secrets_cannot_be_guessed() -> None:
    scopes = frozenset({Scope.VIDEOS_READ})
    _, refresh_token = sessions.begin("a1", scopes, NOW, 60, NOWHERE)
    _, key = api_keys.make("a1", "ci", scopes, NOW, None)
    made = {refresh_token: 32, key: 32, webhooks.new_secret(): 24}
    for secret, least_bytes in made.items():
        random = re.split(r"[_.]", secret, maxsplit=2)[-1]
        bits = 4 if re.fullmatch(r"[0-9a-f]+", random) else 6
        assert len(random) * bits >= least_bytes * 8 - 8
    assert sessions.begin("a1", scopes, NOW, 60, NOWHERE)[1] != refresh_token
