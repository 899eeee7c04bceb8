"""Requests that are sent twice under one key, over the wire; mounted and proxied."""

from __future__ import annotations

import json
import socket
import time
from http.client import HTTPResponse

from tests.sites import Client, Site, problem

HEADER = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def videos(user: Client) -> int:
    return len(user.get("/api/v1/videos").json()["items"])


def test_a_file_that_is_sent_twice_is_one_video(site: Site) -> None:
    user, film = site.user(), b"film" * 5_000_000
    first = user.put("/api/v1/uploads/clip.mp4", data=film, headers=HEADER)
    again = user.put("/api/v1/uploads/clip.mp4", data=film, headers=HEADER)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert videos(user) == 1
    shorter = user.put("/api/v1/uploads/clip.mp4", data=film[:-1], headers=HEADER)
    assert (shorter.status_code, problem(shorter)["code"]) == (422, "idempotency_mismatch")


def test_a_file_that_is_still_coming_in_is_not_taken_twice(site: Site) -> None:
    user = site.user()
    head = [
        "PUT /api/v1/uploads/clip.mp4 HTTP/1.1",
        "Host: localhost",
        f"Authorization: {user.token}",
        "Content-Length: 1000000",
        "Idempotency-Key: k",
    ]
    raw = "\r\n".join([*head, "", ""]).encode()
    with socket.create_connection(site.address, timeout=60) as connection:
        connection.sendall(raw + b"x" * 1000)
        deadline = time.monotonic() + 30
        while not videos(user) and time.monotonic() < deadline:
            time.sleep(0.05)
        repeat = user.put(
            "/api/v1/uploads/clip.mp4", data=b"x" * 1_000_000, headers={"Idempotency-Key": "k"}
        )
        assert (repeat.status_code, problem(repeat)["code"]) == (409, "request_running")
        assert int(repeat.headers["Retry-After"]) > 0
        connection.sendall(b"x" * 999_000)
        answer = HTTPResponse(connection)
        answer.begin()
        body = json.load(answer)
    assert (answer.status, body["size_bytes"]) == (201, 1_000_000)
    repeat = user.put(
        "/api/v1/uploads/clip.mp4", data=b"x" * 1_000_000, headers={"Idempotency-Key": "k"}
    )
    assert repeat.json()["id"] == body["id"]
