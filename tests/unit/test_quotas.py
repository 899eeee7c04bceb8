"""Quotas of requests, and how they are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from nextstream import wiring
from nextstream.ports import Platform
from web import BLUEPRINTS, create_app

WHO = {"name": "ada", "password": "correct horse battery"}
LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Policy")


def site(**chosen: Any) -> FlaskClient:
    made: Platform = wiring.in_memory()
    return create_app(
        replace(made, settings=replace(made.settings, **chosen)), *BLUEPRINTS
    ).test_client()


def headers(client: FlaskClient, **who: str) -> dict[str, str]:
    login = client.post("/api/v1/auth/login", json={**WHO, **who}).get_json()
    return {"Authorization": f"Bearer {login['access_token']}"}


def test_every_answer_tells_where_its_sender_stands() -> None:
    client = site(limit_api="3/60")
    client.post("/api/v1/auth/register", json=WHO)
    head = headers(client)
    answers = [client.get("/api/v1/videos", headers=head) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    told = [tuple(answer.headers[name] for name in LIMITS) for answer in answers]
    assert told == [("3", left, "3;w=60") for left in ("2", "1", "0", "0")]
    refused = answers[-1]
    assert refused.get_json()["code"] == "too_many_requests"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]


def test_accounts_and_keys_count_apart() -> None:
    client = site(limit_api="2/60")
    for name in ("ada", "eve"):
        client.post("/api/v1/auth/register", json={**WHO, "name": name})
    ada, eve = headers(client), headers(client, name="eve")
    key = client.post(
        "/api/v1/auth/keys", json={"name": "CI", "scopes": ["videos:read"]}, headers=ada
    ).get_json()["key"]
    assert client.get("/api/v1/videos", headers=ada).status_code == 200
    assert client.get("/api/v1/videos", headers=ada).status_code == 429
    assert client.get("/api/v1/videos", headers=headers(client)).status_code == 429  # logged in anew
    by_key = {"Authorization": f"Bearer {key}"}
    assert [client.get("/api/v1/videos", headers=by_key).status_code for _ in range(3)] == [
        200,
        200,
        429,
    ]
    assert client.get("/api/v1/videos", headers=eve).status_code == 200


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("limit_login", "/api/v1/auth/login"),
        ("limit_login", "/api/v1/auth/refresh"),
        ("limit_register", "/api/v1/auth/register"),
    ],
)
def test_strangers_are_counted_by_their_address(setting: str, path: str) -> None:
    client = site(**{setting: "2/60"})

    def status(address: str) -> int:
        return client.post(path, json={}, environ_overrides={"REMOTE_ADDR": address}).status_code

    assert [status("192.0.2.1") for _ in range(3)][-1] == 429
    assert status("192.0.2.2") != 429
    assert [status(f"2001:db8::{n}") for n in range(3)][-1] == 429  # one network is one sender


def test_beginning_uploads_has_a_quota_of_its_own() -> None:
    client = site(limit_uploads="1/60")
    client.post("/api/v1/auth/register", json=WHO)
    head = headers(client)
    first = client.put("/api/v1/uploads/a.mp4", data=b"film", headers=head)
    assert (first.status_code, first.headers["RateLimit-Limit"]) == (201, "1")
    assert client.put("/api/v1/uploads/a.mp4", data=b"film", headers=head).status_code == 429
    assert client.get("/api/v1/videos", headers=head).status_code == 200


def test_without_a_quota_nothing_is_told() -> None:
    client = site(limit_api="", limit_login="", limit_register="")
    client.post("/api/v1/auth/register", json=WHO)
    answer = client.get("/api/v1/auth/me", headers=headers(client))
    assert "RateLimit" not in str(answer.headers)


def test_too_many_guesses_are_429_with_a_wait_whether_the_name_is_known_or_not() -> None:
    client = site(login_tries=2)
    client.post("/api/v1/auth/register", json=WHO)
    seen = []
    for name in ("ada", "nobody"):
        guess = {"name": name, "password": "a guess"}
        answers = [client.post("/api/v1/auth/login", json=guess) for _ in range(4)]
        bodies = [{**answer.get_json(), "request_id": ""} for answer in answers]
        waits = [answer.headers.get("Retry-After") for answer in answers]
        seen.append(([answer.status_code for answer in answers], bodies, waits))
    assert seen[0] == seen[1]
    assert seen[0][0] == [401, 401, 429, 429]
    assert seen[0][2] == [None, None, "1", "1"]
