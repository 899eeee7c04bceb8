"""Uploads as they come over the wire: whole, cut, odd, large; mounted and proxied."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nextstream.domain.accounts import Role
from tests.sites import Client, Site, memory_bytes, parse, problem, reset_peak

MIB = 1024**2
BOUNDARY = "----film-boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts: tuple[str, bytes]) -> bytes:
    """Give a form's bytes; a part's name with a slash is a file: `field/name`."""
    body = b""
    for name, content in parts:
        field, _, filename = name.partition("/")
        shown = f'name="{field}"' + (f'; filename="{filename}"' if filename else "")
        head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {shown}\r\n\r\n"
        body += head.encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def request(user: Client, line: str, body: bytes, *headers: str) -> bytes:
    head = [f"{line} HTTP/1.1", "Host: localhost", f"Authorization: {user.token}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def only_video(user: Client) -> dict[str, Any]:
    deadline = time.monotonic() + 10  # a service may still be about to hear of it
    while not (videos := user.get("/api/v1/videos").json()["items"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(videos) == 1
    return dict(videos[0])


def stored(user: Client) -> list[str]:
    video_id = only_video(user)["id"]
    return [found.key for found in user.site.platform.storage.list(f"videos/{video_id}/")]


def source_of(site: Site, video_id: str) -> bytes:
    return site.platform.storage.read(f"videos/{video_id}/source")


def has_failed(user: Client, code: str) -> bool:
    """Wait for the only video to fail, with nothing stored."""
    deadline = time.monotonic() + 10
    while (video := only_video(user))["state"] != "failed" and time.monotonic() < deadline:
        time.sleep(0.05)
    return video["failure"]["code"] == code and not stored(user)


@pytest.mark.parametrize("sent", [0, 1, 95_536, 999_999])
def test_a_cut_body_is_never_accepted(site: Site, sent: int) -> None:
    user = site.user()
    raw = request(user, "PUT /api/v1/uploads/clip.mp4", b"x" * sent, "Content-Length: 1000000")
    status, body = parse(site.send(raw))
    assert (status, body["code"]) == (400, "upload_incomplete")
    assert has_failed(user, "upload_incomplete")


def test_a_client_that_is_gone_leaves_a_failed_video(site: Site) -> None:
    user = site.user()
    raw = request(user, "PUT /api/v1/uploads/clip.mp4", b"x" * 300_000, "Content-Length: 1000000")
    with socket.create_connection(site.address) as connection:
        connection.sendall(raw)
        time.sleep(0.3)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert has_failed(user, "upload_incomplete")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"5\r\nfilm!\r\n0\r\n\r\n", 201),
        (b"5\r\nfilm!\r\n", 400),
        (b"5\r\nfil", 400),
        (b"zz\r\nfilm!\r\n0\r\n\r\n", 400),
        (b"5\r\nfilm!XX0\r\n\r\n", 400),
    ],
)
def test_a_chunked_body_is_whole_or_refused(site: Site, body: bytes, status: int) -> None:
    user = site.user()
    raw = request(user, "PUT /api/v1/uploads/clip.mp4", body, "Transfer-Encoding: chunked")
    answered, answer = parse(site.send(raw))
    assert answered == status
    if status == 201:
        assert source_of(site, answer["id"]) == b"film!"
    else:
        assert answer["code"] == "upload_incomplete"
        assert has_failed(user, "upload_incomplete")


WHOLE = form(("title", b"Night"), ("file/clip.mp4", b"film " * 1000))


@pytest.mark.parametrize("cut", [1, 4, 8, len(BOUNDARY) + 4, 1000])
def test_a_cut_form_is_never_accepted(site: Site, cut: int) -> None:
    user = site.user()
    length = f"Content-Length: {len(WHOLE)}"
    head = (f"Content-Type: {FORM_TYPE}", length)
    status, body = parse(site.send(request(user, "POST /api/v1/uploads", WHOLE[:-cut], *head)))
    assert (status, body["code"]) == (400, "upload_incomplete")
    assert has_failed(user, "upload_incomplete")


def test_a_form_that_its_sender_calls_whole_needs_its_last_boundary(site: Site) -> None:
    user = site.user()
    answer = user.post("/api/v1/uploads", data=WHOLE[:-8], headers={"Content-Type": FORM_TYPE})
    assert problem(answer)["code"] == "upload_incomplete"
    assert has_failed(user, "upload_incomplete")


@pytest.mark.parametrize(
    "content",
    [
        b"\r\n",
        b"film\r\n",
        b"film\r\n--",
        f"film\r\n--{BOUNDARY[:-1]}".encode(),
        f"\r\n--{BOUNDARY}x\r\n".encode(),
        b"\n\r" * 300_000,
        (b"x" * (256 * 1024 - 150)) + b"\r\n--" + b"y" * 300,
        b"\0" * 600_000,
    ],
    ids=range(8),
)
def test_a_forms_file_arrives_to_the_byte(site: Site, content: bytes) -> None:
    body = form(("title", b"Night"), ("file/clip.mp4", content))
    answer = site.user().post("/api/v1/uploads", data=body, headers={"Content-Type": FORM_TYPE})
    assert answer.status_code == 201, answer.text
    assert source_of(site, answer.json()["id"]) == content
    assert (answer.json()["title"], answer.json()["filename"]) == ("Night", "clip.mp4")


def test_a_title_is_taken_from_the_query_or_from_before_the_file(site: Site) -> None:
    user, head = site.user(), {"Content-Type": FORM_TYPE}
    titles = [
        user.post(f"/api/v1/uploads{query}", data=WHOLE, headers=head).json()["title"]
        for query in ("", "?title=Asked")
    ]
    put = user.put("/api/v1/uploads/clip.mp4?title=D%C3%A4mmerung", data=b"film").json()["title"]
    assert [*titles, put] == ["Night", "Asked", "Dämmerung"]


def test_a_form_whose_title_stands_behind_its_file_is_refused_and_leaves_nothing(site: Site) -> None:
    user = site.user()
    late = form(("file/clip.mp4", b"film"), ("title", b"Late"))
    answer = user.post("/api/v1/uploads", data=late, headers={"Content-Type": FORM_TYPE})
    assert "behind its file" in problem(answer)["detail"]
    (video,) = user.get("/api/v1/videos").json()["items"]
    assert video["state"] == "failed"
    assert list(site.platform.storage.list(f"videos/{video['id']}/")) == []


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (form(("title", b"Night")), FORM_TYPE, 400, "bad_request"),
        (form(("movie/clip.mp4", b"film")), FORM_TYPE, 400, "bad_request"),
        (form(("title", b"x" * 100_000), ("file/c.mp4", b"film")), FORM_TYPE, 400, "bad_request"),
        (form(*[(f"f{n}", b"") for n in range(40)]), FORM_TYPE, 400, "bad_request"),
        (b"x" * 3_000_000, FORM_TYPE, 400, "bad_request"),
        (WHOLE, "multipart/form-data", 415, "unsupported_media_type"),
        (b"film", "video/mp4", 415, "unsupported_media_type"),
    ],
    ids=[
        "no file",
        "another name",
        "long field",
        "many fields",
        "no form",
        "no boundary",
        "no form at all",
    ],
)
def test_a_form_that_is_none_is_explained_and_makes_no_video(
    site: Site, body: bytes, kind: str, status: int, code: str
) -> None:
    user = site.user()
    answer = user.post("/api/v1/uploads", data=body, headers={"Content-Type": kind})
    assert (answer.status_code, problem(answer)["code"]) == (status, code)
    assert user.get("/api/v1/videos").json()["items"] == []


def test_an_empty_file_is_refused(site: Site) -> None:
    user, other = site.user(), site.user()
    answer = user.put("/api/v1/uploads/clip.mp4", data=b"")
    empty_form = form(("file/clip.mp4", b""))
    posted = other.post("/api/v1/uploads", data=empty_form, headers={"Content-Type": FORM_TYPE})
    assert problem(answer)["code"] == problem(posted)["code"] == "upload_empty"
    assert has_failed(user, "upload_empty")


class Endless:
    """A body of any length, read as it is sent."""

    def __init__(self, size_bytes: int) -> None:
        self.left = self.size_bytes = size_bytes

    def __len__(self) -> int:
        return self.size_bytes

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return b"x" * size


@pytest.mark.parametrize("how", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("role", "size_bytes", "status"),
    [(None, 10**10, 401), (Role.VIEWER, 10**10, 403), (Role.UPLOADER, 10**12, 413)],
)
def test_what_can_be_refused_is_refused_at_once(
    site: Site, how: str, role: Role | None, size_bytes: int, status: int
) -> None:
    user = site.user(role) if role else site.guest()
    path = "/api/v1/uploads/clip.mp4" if how == "PUT" else "/api/v1/uploads"
    body = Endless(size_bytes)
    answer = user.session.request(
        how, site.url + path, data=body, headers={"Content-Type": FORM_TYPE}, timeout=60
    )
    assert answer.status_code == status
    problem(answer)
    assert body.size_bytes - body.left < 10**9
    if role:
        assert user.get("/api/v1/videos").json()["items"] == []


def test_a_refused_client_that_only_listens_hears_it(site: Site) -> None:
    raw = b"PUT /api/v1/uploads/clip.mp4 HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n"
    with socket.create_connection(site.address, timeout=30) as connection:
        connection.sendall(raw + b"x" * 4_000_000)
        time.sleep(0.5)
        connection.sendall(b"x" * 1_000_000)
        assert connection.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize("how", ["PUT", "POST"])
def test_a_large_upload_takes_no_memory_for_it(site: Site, how: str) -> None:
    user = site.user()
    block = bytes(range(256)) * 1024
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    frame = (b"", b"") if how == "PUT" else (WHOLE[: WHOLE.index(b"film ")], tail)

    def body() -> Iterator[bytes]:
        yield frame[0]
        yield from itertools.repeat(block, 400)
        yield frame[1]

    path = "/api/v1/uploads/clip.mp4" if how == "PUT" else "/api/v1/uploads"
    users = [name for name in ("gateway", "upload") if name in site.pids]
    before = {name: memory_bytes(site.pids[name], "VmRSS") for name in users}
    for name in users:
        reset_peak(site.pids[name])
    headers = {"Content-Type": FORM_TYPE} if how == "POST" else {}
    answer = user.session.request(how, site.url + path, data=body(), headers=headers, timeout=120)
    assert (answer.status_code, answer.json()["size_bytes"]) == (201, 100 * MIB)
    grown = {name: memory_bytes(site.pids[name]) - before[name] for name in users}
    assert max(grown.values()) < 16 * MIB, grown


def test_slow_uploads_leave_room_for_others(site: Site) -> None:
    user = site.user()
    began = time.monotonic()

    def slow() -> Iterator[bytes]:
        for _ in range(5):
            assert site.guest().get("/healthz").ok
            yield b"x" * 1000
            time.sleep(0.05)

    answer = user.put("/api/v1/uploads/clip.mp4", data=slow())
    assert (answer.status_code, answer.json()["size_bytes"]) == (201, 5000)
    assert time.monotonic() - began < 10
