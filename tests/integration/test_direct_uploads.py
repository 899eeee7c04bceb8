"""URLs that take one file from whoever has them, until they expire."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from nextstream.domain.accounts import Role
from tests.sites import Client, Site, parse, problem

PATH = "/api/v1/uploads/direct"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
FILM = b"film " * 1000


def order(user: Client, **wish: object) -> dict[str, Any]:
    answer = user.post(PATH, json=wish)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def source(site: Site, made: dict[str, Any]) -> bytes:
    return site.platform.storage.read(f"videos/{made['video_id']}/source")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_is_put_without_an_account(site: Site, chunked: bool) -> None:
    user = site.user()
    made = order(user, title="Night")
    body: Any = iter([FILM[:9], FILM[9:]]) if chunked else FILM
    answer = requests.put(made["url"], data=body, timeout=60)
    assert (answer.status_code, answer.json()["video_id"]) == (201, made["video_id"])
    assert source(site, made) == FILM
    video = user.get(f"/api/v1/videos/{made['video_id']}").json()
    assert (video["title"], video["state"]) == ("Night", "uploaded")


def test_a_file_is_sent_by_tus_without_an_account(site: Site) -> None:
    made = order(site.user())
    begun = requests.post(made["url"], headers={**TUS, "Upload-Length": str(len(FILM))}, timeout=60)
    assert (begun.status_code, begun.headers["Location"]) == (201, made["url"])
    for start, end in ((0, 700), (700, len(FILM))):
        assert requests.head(made["url"], headers=TUS, timeout=60).headers["Upload-Offset"] == str(start)
        headers = {**BYTES, "Upload-Offset": str(start)}
        assert (
            requests.patch(made["url"], data=FILM[start:end], headers=headers, timeout=60).status_code
            == 204
        )
    assert source(site, made) == FILM


@pytest.mark.parametrize("body", [b"5\r\nfilm!\r\n", b"5\r\nfil", b"5\r\nfilm!\r\nzz\r\n"])
def test_a_chunked_file_that_breaks_off_is_never_a_whole_one(site: Site, body: bytes) -> None:
    user = site.user()
    made = order(user)
    path = made["url"].removeprefix(site.url)
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, answer = parse(site.send(head.encode() + body))
    assert (status, answer["code"]) == (400, "upload_incomplete")
    assert user.get(f"/api/v1/videos/{made['video_id']}").json()["state"] == "uploading"
    begun = requests.head(made["url"], headers=TUS, timeout=60)  # so that tus can go on
    assert begun.headers["Upload-Defer-Length"] == "1"


@pytest.mark.parametrize("body", [b"", iter(())])
def test_a_file_without_bytes_is_refused(site: Site, body: Any) -> None:
    user = site.user()
    made = order(user)
    answer = requests.put(made["url"], data=body, timeout=60)
    assert (answer.status_code, problem(answer)["code"]) == (422, "upload_empty")
    assert user.get(f"/api/v1/videos/{made['video_id']}").json()["state"] == "failed"


def test_a_client_that_can_only_post_uses_a_url_by_tus(site: Site) -> None:
    made = order(site.user())
    begun = {**TUS, "Upload-Length": str(len(FILM))}
    assert requests.post(made["url"], headers=begun, timeout=60).status_code == 201
    sent = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert requests.post(made["url"], data=FILM, headers=sent, timeout=60).status_code == 204
    assert source(site, made) == FILM


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "viewer"}], ids=str)
def test_a_url_is_good_for_as_long_as_its_owner_may_upload(
    site: Site, change: dict[str, object]
) -> None:
    user = site.user()
    made = order(user)
    begun = requests.post(made["url"], headers={**TUS, "Upload-Length": str(len(FILM))}, timeout=60)
    assert begun.status_code == 201
    account = f"/api/v1/accounts/{user.account_id}"
    assert site.user(Role.OPERATOR).patch(account, json=change).status_code == 200
    for method, headers in (("PATCH", {**BYTES, "Upload-Offset": "0"}), ("PUT", {})):
        refused = requests.request(method, made["url"], data=FILM, headers=headers, timeout=60)
        assert (refused.status_code, problem(refused)["code"]) == (410, "upload_gone")


def test_a_url_takes_one_file(site: Site) -> None:
    made = order(site.user())
    assert requests.put(made["url"], data=FILM, timeout=60).status_code == 201
    assert requests.put(made["url"], data=b"other", timeout=60).status_code == 409
    assert source(site, made) == FILM


def test_a_url_takes_no_more_than_was_ordered(site: Site) -> None:
    made = order(site.user(), max_bytes=100)
    assert problem(requests.put(made["url"], data=b"x" * 101, timeout=60))["code"] == "upload_too_large"
    assert requests.put(made["url"], data=iter([b"x" * 101]), timeout=60).status_code == 413
    assert requests.put(made["url"], data=b"x" * 100, timeout=60).status_code == 201


def test_a_url_ends(site: Site) -> None:
    made = order(site.user())
    assert requests.delete(made["url"], headers=TUS, timeout=60).status_code == 204
    assert requests.put(made["url"], data=FILM, timeout=60).status_code == 410


def test_a_url_cant_be_guessed(site: Site) -> None:
    made = order(site.user())
    assert len(made["url"].rpartition("/")[2]) >= 40
    assert requests.put(f"{site.url}{PATH}/{made['video_id']}", data=FILM, timeout=60).status_code == 404
    assert requests.put(made["url"], data=FILM, timeout=60).status_code == 201
    assert made["url"].rpartition("/")[2] not in site.log()


@pytest.mark.parametrize("expires_s", [0, -1, 10**9])
def test_a_url_is_good_for_a_time_that_makes_sense(site: Site, expires_s: int) -> None:
    assert site.user().post(PATH, json={"expires_s": expires_s}).status_code == 400


def test_only_uploaders_are_given_urls(site: Site) -> None:
    assert site.guest().post(PATH, json={}).status_code == 401
    assert site.user(Role.VIEWER).post(PATH, json={}).status_code == 403
