"""Uploads by tus whose first bytes come with their creation, and are refused."""

from __future__ import annotations

import base64

import pytest
from flask import Flask

from nextstream import wiring
from web import BLUEPRINTS, create_app

PATH = "/api/v1/uploads/tus"
WHO = {"name": "ada", "password": "correct horse battery"}
WRONG = base64.b64encode(b"x" * 20).decode()


@pytest.fixture
def app() -> Flask:
    return create_app(wiring.in_memory(), *BLUEPRINTS)


@pytest.fixture
def headers(app: Flask) -> dict[str, str]:
    client = app.test_client()
    client.post("/api/v1/auth/register", json=WHO)
    token = client.post("/api/v1/auth/login", json=WHO).get_json()["access_token"]
    kind = {"Content-Type": "application/offset+octet-stream"}
    return {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0", **kind}


def under_way(app: Flask, headers: dict[str, str]) -> int:
    quota = app.test_client().get("/api/v1/auth/quota", headers=headers).get_json()
    return int(quota["uploads"]["used"])


@pytest.mark.parametrize(
    ("body", "told", "status"),
    [
        (b"film and more", {}, 413),
        (b"film", {"Upload-Checksum": f"sha1 {WRONG}"}, 460),
        (b"%PDF", {"Upload-Length": "9"}, 201),
        (b"%PDF-", {"Upload-Length": "9"}, 422),
    ],
)
def test_a_creation_whose_bytes_are_refused_keeps_nothing(
    app: Flask, headers: dict[str, str], body: bytes, told: dict[str, str], status: int
) -> None:
    sent = {**headers, "Upload-Length": "4", **told}
    assert app.test_client().post(PATH, data=body, headers=sent).status_code == status
    assert under_way(app, headers) == (status == 201)


def test_a_creation_that_no_slot_is_free_for_creates_nothing(
    app: Flask, headers: dict[str, str]
) -> None:
    slots = app.extensions["upload_slots"]
    while slots.acquire(blocking=False):
        pass
    sent = {**headers, "Upload-Length": "4"}
    client = app.test_client()
    assert client.post(PATH, data=b"film", headers=sent).status_code == 503
    assert client.get("/api/v1/videos", headers=headers).get_json()["items"] == []
    assert under_way(app, headers) == 0
    del sent["Content-Type"]
    assert client.post(PATH, headers=sent).status_code == 201  # bytes come later
