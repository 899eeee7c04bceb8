"""Files that clients send straight to S3, in parts that the server signs one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests import sites
from tests.sites import Client, Site, problem

PART = 5 * 1024**2
PATH = "/api/v1/uploads/s3/multipart"


@pytest.fixture(scope="module")
def s3_site(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites.run(tmp_path_factory.mktemp("s3-site"), separate=False, storage_url=s3_url) as site:
        yield site


@pytest.fixture
def user(s3_site: Site) -> Client:
    return s3_site.user()


def begin(user: Client, **metadata: str) -> dict[str, Any]:
    facts = {"filename": "film.mp4", "type": "video/mp4"}
    answer = user.post(PATH, json={**facts, "metadata": {"name": "film.mp4", **metadata}})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def send(user: Client, upload_id: str, number: int, body: bytes) -> str:
    url = user.get(f"{PATH}/{upload_id}/{number}?key=any").json()["url"]
    answer = requests.put(url, data=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.headers["ETag"]


def complete(user: Client, upload_id: str) -> requests.Response:
    return user.post(f"{PATH}/{upload_id}/complete?key=any", json={"parts": []})


def state(user: Client, video_id: str) -> str:
    return str(user.get(f"/api/v1/videos/{video_id}").json()["state"])


def test_a_file_goes_straight_to_the_storage_and_becomes_a_video(user: Client) -> None:
    upload, body = begin(user), os.urandom(2 * PART + 100)
    upload_id = upload["uploadId"]
    for number in (3, 1, 2):
        send(user, upload_id, number, body[(number - 1) * PART : number * PART])
    listed = user.get(f"{PATH}/{upload_id}?key=any").json()
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, PART), (2, PART), (3, 100)]
    assert complete(user, upload_id).json()["video_id"] == upload_id
    assert complete(user, upload_id).status_code == 200  # the answer may have been lost
    assert state(user, upload_id) == "uploaded"
    assert user.site.platform.storage.read(f"videos/{upload_id}/source") == body


def test_the_metadata_says_what_is_asked_of_the_video(user: Client) -> None:
    video_id = begin(user, title="A title", visibility="private")["uploadId"]
    video = user.get(f"/api/v1/videos/{video_id}").json()
    assert (video["title"], video["visibility"]) == ("A title", "private")
    refused = user.post(PATH, json={"filename": "f.mp4", "metadata": {"priority": "now"}})
    assert "priority" in problem(refused)["detail"]


def test_a_missing_part_is_told_and_can_be_sent(user: Client) -> None:
    upload_id = begin(user)["uploadId"]
    send(user, upload_id, 2, b"end")
    assert problem(complete(user, upload_id))["code"] == "upload_incomplete"
    send(user, upload_id, 1, os.urandom(PART))
    assert complete(user, upload_id).status_code == 200


def test_what_is_no_video_is_refused_after_a_look(user: Client) -> None:
    upload_id = begin(user)["uploadId"]
    send(user, upload_id, 1, b"%PDF-1.7 and so on")
    assert problem(complete(user, upload_id))["code"] == "source_not_video"
    assert state(user, upload_id) == "failed"
    assert not list(user.site.platform.storage.list(f"videos/{upload_id}/"))


def test_what_is_too_large_is_refused_by_what_the_storage_says(
    s3_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("small-site")
    with sites.run(folder, separate=False, storage_url=s3_url, upload_max_bytes="1000") as site:
        user = site.user()
        upload_id = begin(user)["uploadId"]
        send(user, upload_id, 1, b"x" * 1001)
        assert problem(complete(user, upload_id))["code"] == "upload_too_large"
        assert state(user, upload_id) == "failed"


def test_an_aborted_upload_is_gone(user: Client) -> None:
    upload_id = begin(user)["uploadId"]
    send(user, upload_id, 1, b"some")
    assert user.delete(f"{PATH}/{upload_id}?key=any").status_code == 200
    assert complete(user, upload_id).status_code == 410
    assert state(user, upload_id) == "cancelled"


@pytest.mark.parametrize("number", ["0", "10001", "x"])
def test_only_parts_that_s3_has_are_signed(user: Client, number: str) -> None:
    assert user.get(f"{PATH}/{begin(user)['uploadId']}/{number}?key=any").status_code == 404


def test_others_uploads_are_not_found(user: Client, s3_site: Site) -> None:
    upload_id, other = begin(user)["uploadId"], s3_site.user()
    for answer in (
        other.get(f"{PATH}/{upload_id}/1?key=any"),
        other.get(f"{PATH}/{upload_id}?key=any"),
        complete(other, upload_id),
        other.delete(f"{PATH}/{upload_id}?key=any"),
    ):
        assert answer.status_code == 404
    assert s3_site.guest().post(PATH, json={"filename": "a"}).status_code == 401


def test_a_storage_that_is_no_s3_says_so_and_makes_no_video(site: Site) -> None:
    user = site.user()
    assert "by tus" in problem(user.post(PATH, json={"filename": "a"}))["detail"]
    assert user.get("/api/v1/videos").json()["items"] == []
