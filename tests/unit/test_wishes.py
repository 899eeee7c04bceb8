"""What clients may ask for at an upload, by each way there is, against in-memory twins."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nextstream import wiring
from nextstream.domain.video import Encryption, Priority, Video, Visibility
from nextstream.ports import Platform
from web import create_app

API = "/api/v1/uploads"
ASKED = {
    "title": "A title",
    "visibility": "private",
    "priority": "high",
    "encryption": "aes-128",
}

Send = Callable[[FlaskClient, Mapping[str, str]], TestResponse]


def metadata(asked: Mapping[str, str]) -> str:
    return ",".join(f"{name} {b64encode(word.encode()).decode()}" for name, word in asked.items())


def by_tus(client: FlaskClient, asked: Mapping[str, str]) -> TestResponse:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "4", "Upload-Metadata": metadata(asked)}
    return client.post(f"{API}/tus", headers=headers)


def by_form(client: FlaskClient, asked: Mapping[str, str]) -> TestResponse:
    return client.post(API, data={**asked, "file": (io.BytesIO(b"film"), "a.mp4")})


def by_import(client: FlaskClient, asked: Mapping[str, str]) -> TestResponse:
    return client.post(f"{API}/import", json={"url": "https://example.org/a.mp4", **asked})


WAYS: dict[str, Send] = {
    "PUT": lambda client, asked: client.put(f"{API}/a.mp4", query_string=asked, data=b"film"),
    "form": by_form,
    "tus": by_tus,
    "direct": lambda client, asked: client.post(f"{API}/direct", json=dict(asked)),
    "import": by_import,
}


@pytest.fixture
def platform() -> Platform:
    platform = wiring.in_memory()
    return replace(platform, settings=replace(platform.settings, imports=True))


@pytest.fixture
def client(platform: Platform) -> FlaskClient:
    client = create_app(platform, "auth", "upload").test_client()
    registered = {"name": "grace", "password": "correct horse battery"}
    client.post("/api/v1/auth/register", json=registered)
    token = client.post("/api/v1/auth/login", json=registered).json["access_token"]
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def video_of(platform: Platform, answer: TestResponse) -> Video:
    assert answer.status_code in (201, 202), answer.text
    video_id = (answer.json or {}).get("video_id") or answer.headers["Location"].rpartition("/")[2]
    with platform.database.transaction() as tx:
        return tx.videos.get(video_id)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_upload_takes_all_wishes(platform: Platform, client: FlaskClient, way: str) -> None:
    video = video_of(platform, WAYS[way](client, ASKED))
    assert (video.title, video.visibility) == ("A title", Visibility.PRIVATE)
    assert (video.priority, video.options.encryption) == (Priority.HIGH, Encryption.AES_128)


@pytest.mark.parametrize("way", WAYS)
def test_without_wishes_a_video_is_as_any_other(
    platform: Platform, client: FlaskClient, way: str
) -> None:
    video = video_of(platform, WAYS[way](client, {}))
    assert (video.visibility, video.priority) == (Visibility.UNLISTED, Priority.NORMAL)
    assert video.options.encryption is None


@pytest.mark.parametrize("name", ["visibility", "priority", "encryption"])
@pytest.mark.parametrize("way", WAYS)
def test_a_word_that_means_nothing_is_refused_by_its_name(
    client: FlaskClient, way: str, name: str
) -> None:
    answer = WAYS[way](client, {name: "rot13"})
    assert answer.status_code == 400
    assert name in answer.json["detail"]


def test_the_query_of_a_form_goes_before_its_fields(platform: Platform, client: FlaskClient) -> None:
    data = {"title": "Field", "priority": "low", "file": (io.BytesIO(b"film"), "a.mp4")}
    answer = client.post(f"{API}?title=Query", data=data)
    video = video_of(platform, answer)
    assert (video.title, video.priority) == ("Query", Priority.LOW)
