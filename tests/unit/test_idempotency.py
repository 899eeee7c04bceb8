from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.domain import idempotency as rules
from nextstream.domain.accounts import Role
from nextstream.errors import (
    BadRequest,
    DatabaseUnavailable,
    IdempotencyMismatch,
    NextStreamError,
    RequestRunning,
)
from nextstream.ports import KeyedRequest, Platform
from nextstream.services import accounts, idempotency
from web import create_app

PASSWORD = "correct horse battery"
HOOK = {"url": "https://hooks.example/in"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def platform(clock: HandClock) -> Platform:
    return wiring.in_memory(clock=clock)


def ask(platform: Platform, key: str = "k", what: str = "print", owner: str = "ada") -> bytes:
    """Give the answer under a key; a new one tells the time."""
    with idempotency.turn(platform, owner, key, what) as mine:
        if mine.answer is None:
            mine.answer = str(platform.clock.now()).encode()
        return mine.answer


def rows(platform: Platform) -> list[KeyedRequest | None]:
    with platform.database.transaction() as tx:
        return [tx.keyed_requests.find("ada", rules.digest("ada", "k"))]


def test_a_repeat_gets_the_first_answer_for_a_day(platform: Platform, clock: HandClock) -> None:
    first = ask(platform)
    clock.advance(24 * 3600 - 1)
    assert ask(platform) == first
    clock.advance(1)
    assert ask(platform) != first


def test_a_key_belongs_to_one_account_and_one_request(platform: Platform, clock: HandClock) -> None:
    first = ask(platform)
    clock.advance(1)
    assert ask(platform, owner="bob") != first
    assert ask(platform, key="other") != first
    with pytest.raises(IdempotencyMismatch):
        ask(platform, what="another")


def test_a_repeat_of_what_runs_is_told_so(platform: Platform) -> None:
    with idempotency.turn(platform, "ada", "k", "print"):
        with pytest.raises(RequestRunning):
            ask(platform)
        with pytest.raises(IdempotencyMismatch):
            ask(platform, what="another")


def test_of_many_at_once_one_is_done(platform: Platform) -> None:
    done, start = [], threading.Barrier(8)

    def go() -> bool:
        start.wait()
        try:
            with idempotency.turn(platform, "ada", "k", "print") as mine:
                if mine.answer is None:
                    done.append(1)
                    mine.answer = b"made"
                return mine.answer == b"made"
        except RequestRunning:
            return True

    with ThreadPoolExecutor(8) as pool:
        assert all(each.result() for each in [pool.submit(go) for _ in range(8)])
    assert len(done) == 1


def test_what_fails_leaves_its_key_free(platform: Platform) -> None:
    with pytest.raises(NextStreamError), idempotency.turn(platform, "ada", "k", "print"):
        raise NextStreamError
    assert rows(platform) == [None]
    assert ask(platform, what="another")


def test_a_request_that_runs_long_keeps_its_turn(
    platform: Platform, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "BEAT_EVERY_S", 0.01)
    with idempotency.turn(platform, "ada", "k", "print"):
        clock.advance(idempotency.LEASE_S * 3)
        until = clock.now() + timedelta(seconds=idempotency.LEASE_S)
        waiting = threading.Event()
        while (found := rows(platform)[0]) and found.lease_until < until:
            waiting.wait(0.01)
        with pytest.raises(RequestRunning):
            ask(platform)


def test_the_turn_of_a_killed_server_is_taken_over(platform: Platform, clock: HandClock) -> None:
    killed = idempotency._take(platform, "ada", "k", "print")  # and nothing after it
    clock.advance(idempotency.LEASE_S)
    answer = ask(platform)
    idempotency._settle(platform, replace(killed, answer="late"))
    assert ask(platform) == answer


def test_an_answer_that_cannot_be_noted_is_given_all_the_same(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    with idempotency.turn(platform, "ada", "k", "print") as mine:
        mine.answer = b"made"
        monkeypatch.setattr(platform.database, "away", True)
    with pytest.raises(DatabaseUnavailable):
        ask(platform)


def test_the_database_tells_neither_key_nor_answer(platform: Platform) -> None:
    with idempotency.turn(platform, "ada", "my-key", "print") as mine:
        mine.answer = b"nsk_secret"
    with platform.database.transaction() as tx:
        found = tx.keyed_requests.find("ada", rules.digest("ada", "my-key"))
    assert found
    assert not {"my-key", "nsk_secret"} & set(re.findall(r"[\w-]+", repr(found)))
    with pytest.raises(IdempotencyMismatch):
        rules.unseal(str(found.answer), "ada", "my-key", "another server's key")


def test_old_answers_are_pruned(platform: Platform, clock: HandClock) -> None:
    ask(platform)
    clock.advance(24 * 3600 + 1)
    assert idempotency.prune(platform) == 1
    assert rows(platform) == [None]


@pytest.mark.parametrize(("header", "key"), [('"abc"', "abc"), (" abc ", "abc"), ('a"c', 'a"c')])
def test_a_key_may_stand_in_quotes(header: str, key: str) -> None:
    assert rules.parse(header) == key


@pytest.mark.parametrize("header", ["", '"', '""', '"a', 'a"', "x" * 256, "ü", "a\tb"])
def test_a_key_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(BadRequest):
        rules.parse(header)


@pytest.fixture
def client(platform: Platform) -> FlaskClient:
    accounts.add(platform, "ada", PASSWORD, Role.UPLOADER)
    return create_app(platform, "auth", "upload", "streaming").test_client()


def send(client: FlaskClient, path: str, key: str | None = "k", **options: Any) -> Any:
    """Send a request as ada, who logs in once."""
    if "HTTP_AUTHORIZATION" not in client.environ_base:
        login = client.post("/api/v1/auth/login", json={"name": "ada", "password": PASSWORD})
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {login.get_json()['access_token']}"
    headers = {**options.pop("headers", {}), **({"Idempotency-Key": key} if key else {})}
    return client.open(path, method=options.pop("method", "POST"), headers=headers, **options)


TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Metadata": "filename YQ=="}
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nfilm\r\n--b--\r\n'
CREATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "webhook": ("/api/v1/webhooks", {"json": HOOK}),
    "API key": ("/api/v1/auth/keys", {"json": {"name": "ci", "scopes": ["videos:read"]}}),
    "direct URL": ("/api/v1/uploads/direct", {"json": {}}),
    "tus": ("/api/v1/uploads/tus", {"headers": TUS}),
    "PUT": ("/api/v1/uploads/a.mp4", {"method": "PUT", "data": b"film"}),
    "form": ("/api/v1/uploads", {"content_type": "multipart/form-data; boundary=b", "data": FORM}),
}


@pytest.mark.parametrize("name", CREATIONS)
def test_a_creation_is_done_once_and_answered_twice(client: FlaskClient, name: str) -> None:
    path, what = CREATIONS[name]
    first, again = send(client, path, **what), send(client, path, **what)
    other = send(client, path, key="other", **what)
    assert first.status_code == again.status_code == other.status_code == 201
    assert (first.data, first.headers.get("Location")) == (again.data, again.headers.get("Location"))
    assert (other.data, other.headers.get("Location")) != (first.data, first.headers.get("Location"))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/api/v1/webhooks", {"json": {"url": "https://other.example/"}}),
        ("/api/v1/webhooks?x=1", {"json": HOOK}),
        ("/api/v1/uploads/tus", {"headers": TUS}),
        ("/api/v1/uploads/a.mp4", {"method": "PUT", "data": b"film"}),
    ],
)
def test_another_request_under_the_same_key_is_refused(
    client: FlaskClient, path: str, what: dict[str, Any]
) -> None:
    assert send(client, "/api/v1/webhooks", json=HOOK).status_code == 201
    refused = send(client, path, **what)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "idempotency_mismatch")


def test_forms_are_told_apart_by_what_stands_before_their_file(client: FlaskClient) -> None:
    def post(form: bytes, boundary: str = "b") -> Any:
        kind = f"multipart/form-data; boundary={boundary}"
        return send(client, "/api/v1/uploads", content_type=kind, data=form)

    assert post(FORM).status_code == 201
    assert post(FORM.replace(b"--b", b"--other"), "other").headers["Idempotent-Replayed"] == "true"
    titled = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nT\r\n' + FORM
    for other in (titled, FORM.replace(b"a.mp4", b"b.mp4")):
        assert post(other).get_json()["code"] == "idempotency_mismatch"
    assert post(b"--b--\r\n").status_code == 400
    nameless = b"--b\r\nContent-Disposition: form-data; x\r\n\r\nT\r\n" + titled
    assert post(nameless).get_json()["code"] == "idempotency_mismatch"


def test_a_refused_request_may_be_mended_under_its_key(client: FlaskClient) -> None:
    assert send(client, "/api/v1/webhooks", json={"url": "ftp://a.example/"}).status_code >= 400
    assert send(client, "/api/v1/webhooks", json=HOOK).status_code == 201


def test_a_token_that_may_do_less_gets_no_answer_of_one_that_may_more(client: FlaskClient) -> None:
    send(client, "/api/v1/webhooks", json=HOOK)
    login = {"name": "ada", "password": PASSWORD, "scopes": ["videos:read"]}
    token = client.post("/api/v1/auth/login", json=login).get_json()["access_token"]
    less = send(client, "/api/v1/webhooks", json=HOOK, headers={"Authorization": f"Bearer {token}"})
    assert less.status_code == 422


def test_a_key_needs_a_login_and_a_repeat_one_that_still_counts(client: FlaskClient) -> None:
    refused = client.post("/api/v1/webhooks", json=HOOK, headers={"Idempotency-Key": "k"})
    assert refused.status_code == 401
