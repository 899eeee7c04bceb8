"""What the gateway itself does: odd requests, files, Flower, services that are away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from nextstream.domain.accounts import Role
from tests import servers, sites
from tests.sites import PASSWORD, Client, Site, parse, problem

JSON = {"Content-Type": "application/json"}
SEGMENT = bytes(range(256)) * 8192


@pytest.mark.parametrize(
    "target",
    [
        "/v/abc/../../../etc/passwd",
        "/v/abc/%2e%2e/%2e%2e/source",
        "/v/abc/..%2fsource",
        "/v/abc%5c..%5csource",
        "/v/abc/x%00.m4s",
        "//v/abc/master.m3u8",
        "/api/v1/auth/../videos",
        "/static/..%2f..%2fpages.py",
    ],
)
def test_a_path_with_tricks_is_refused(site: Site, target: str) -> None:
    status, body = parse(site.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()))
    assert (status, body["code"]) == (400, "bad_request")
    assert body["request_id"]


@pytest.mark.parametrize(
    "name", ["source", "v1/source", ".hidden.mp4", "v1/v720/init.exe", "etc/passwd"]
)
def test_what_is_not_public_is_not_found(site: Site, name: str) -> None:
    video_id = site.user().upload()
    answer = site.guest().get(f"/v/{video_id}/{name}")
    assert (answer.status_code, problem(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: 4", "Content-Length: 4"],
        ["Content-Length: 4, 4"],
        ["Content-Length: +4"],
        ["Content-Length: 0x4"],
        ["Content-Length: -1"],
        ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["X-Folded: a", " b"],
        ["X-Bare: a\nContent-Length: 4"],
        ["X-Nul: a\0b"],
        ["Host: b"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Connection: X-Request-ID"],
    ],
    ids=str,
)
def test_a_request_that_two_servers_could_read_in_two_ways_is_refused(
    site: Site, lines: list[str]
) -> None:
    head = "\r\n".join(["POST /api/v1/auth/login HTTP/1.1", "Host: a", *lines, "", ""])
    answer = site.send(head.encode() + b"0\r\n\r\nGET /api/v1/auth/me HTTP/1.1\r\nHost: a\r\n\r\n")
    first, end, _ = answer.partition(b"}\n")
    status, body = parse(first + end)
    assert status in (400, 501)
    assert body["status"] == status
    assert b"HTTP/1.1 401" not in answer  # what lay behind it was not taken for a request


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Many: x\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        (b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ],
    ids=["a long line", "a long header", "many headers", "another version", "another method"],
)
def test_what_is_too_much_or_no_http_is_told_as_a_problem(site: Site, raw: bytes, status: int) -> None:
    answer = site.send(raw)
    assert b"Content-Type: application/problem+json" in answer
    assert (parse(answer)[0], parse(answer)[1]["status"]) == (status, status)


def test_a_body_that_is_no_upload_has_its_limit(site: Site) -> None:
    big = site.guest().post("/api/v1/auth/login", data=b" " * (1024**2 + 1), headers=JSON)
    assert (big.status_code, problem(big)["status"]) == (413, 413)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Transfer-Encoding: chunked", b"zz\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"2\r\n{}junk\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"2\r\n{"),
        ("Content-Length: 9", b"{}"),
    ],
    ids=["no chunk's size", "more than a chunk", "half a chunk", "half a body"],
)
def test_a_body_that_is_no_whole_one_is_the_clients_mistake(
    site: Site, headers: str, body: bytes
) -> None:
    head = f"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n{headers}\r\n"
    answer = site.send(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
    assert (parse(answer)[0], parse(answer)[1]["status"]) == (400, 400)


def test_a_host_must_be_named(site: Site) -> None:
    assert site.send(b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_what_a_client_says_of_the_way_here_is_not_believed(site: Site) -> None:
    user = site.user()
    headers = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil",
    }
    answer = user.put("/api/v1/uploads/clip.mp4", data=b"film", headers=headers)
    assert answer.json()["playback"]["hls"].startswith(f"{site.url}/v/")


def test_what_a_proxy_of_the_operators_says_is_believed(tmp_path: Path) -> None:
    with sites.run(tmp_path, separate=False, trusted_hops="1") as running:
        user = running.user()
        headers = {"X-Forwarded-Host": "evil.example, films.example", "X-Forwarded-Proto": "https"}
        answer = user.put("/api/v1/uploads/clip.mp4", data=b"film", headers=headers)
    assert answer.json()["playback"]["hls"].startswith("https://films.example/v/")


def test_files_are_served_whole_and_by_range(site: Site) -> None:
    video_id = site.user().upload()
    site.platform.storage.write(f"videos/{video_id}/v1/v720/1.m4s", [SEGMENT], "video/iso.segment")
    guest, path = site.guest(), f"/v/{video_id}/v1/v720/1.m4s"
    whole = guest.get(path)
    assert whole.content == SEGMENT
    part = guest.get(path, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, SEGMENT[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(SEGMENT)}"
    head = guest.head(path)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(SEGMENT)))
    same = guest.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    beyond = guest.get(path, headers={"Range": "bytes=99999999-"})
    assert (beyond.status_code, problem(beyond)["status"]) == (416, 416)
    assert guest.get(path).content == SEGMENT  # the connection is still in step


def test_pages_hold_nothing_but_files_of_our_own(site: Site) -> None:
    for path in ("/", "/login", "/upload", "/watch/abc"):
        answer = site.guest().get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not {"<style", " style=", " onclick=", "javascript:"} & set(answer.text.split())
        assert "<script>" not in answer.text
    odd = site.guest().get("/watch/%3Cscript%3Ealert(1)%3C%22")
    assert "<script>alert" not in odd.text


class _Flower(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        names = ", ".join(sorted(name.lower() for name in self.headers))
        body = f"{self.command} {self.path} {names}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  its base's name

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def flower_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a site with something in Flower's place, and no streaming service at its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Flower)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    away = f"http://127.0.0.1:{servers.free_port()}"
    folder: Path = tmp_path_factory.mktemp("flower")
    url = f"http://127.0.0.1:{server.server_port}"
    with sites.run(folder, separate=False, flower_url=url, streaming_url=away) as running:
        yield running
    server.shutdown()


def with_cookies(site: Site, role: Role) -> Client:
    known, guest = site.user(role), site.guest()
    login = {"name": known.name, "password": PASSWORD, "cookies": True}
    guest.post("/api/v1/auth/login", json=login)
    return guest


def test_flower_is_shown_to_operators_without_their_tokens(flower_site: Site) -> None:
    answer = with_cookies(flower_site, Role.OPERATOR).get("/flower/workers?json=1")
    assert answer.status_code == 200
    assert answer.text.startswith("GET /flower/workers?json=1 ")
    assert not {"cookie", "authorization"} & set(answer.text.replace(",", "").split())
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_others_never_reach_flower(flower_site: Site) -> None:
    for role in (Role.VIEWER, Role.UPLOADER):
        refused = with_cookies(flower_site, role).get("/flower/")
        assert (refused.status_code, problem(refused)["code"]) == (403, "not_allowed")
    stranger = flower_site.guest().get("/flower/", allow_redirects=False)
    assert (stranger.status_code, stranger.headers["Location"]) == (302, "/login?next=/flower/")
    forged = requests.get(f"{flower_site.url}/flower/", cookies={"ns_access": "a.b.c"}, timeout=9)
    assert forged.url.endswith("/login?next=/flower/")
    assert flower_site.guest().post("/flower/api/worker/shutdown/x").status_code == 401


def test_flower_is_changed_from_its_own_pages_alone(flower_site: Site) -> None:
    operator, path = with_cookies(flower_site, Role.OPERATOR), "/flower/api/task/revoke/1"
    assert operator.post(path).status_code == 403
    assert operator.post(path, headers={"Origin": "http://evil.example"}).status_code == 403
    ours = operator.post(path, headers={"Origin": flower_site.url})
    assert (ours.status_code, ours.text.split()[0]) == (200, "POST")


def test_without_a_flower_there_is_nothing_at_its_address(site: Site) -> None:
    assert problem(with_cookies(site, Role.OPERATOR).get("/flower/"))["code"] == "not_found"


def test_a_service_that_is_away_takes_no_other_with_it(flower_site: Site) -> None:
    user = flower_site.user()
    away = user.get("/api/v1/videos")
    assert (away.status_code, problem(away)["code"]) == (503, "service_unavailable")
    assert away.headers["Retry-After"]
    assert away.headers["X-Content-Type-Options"] == "nosniff"
    assert user.get("/api/v1/auth/me").status_code == 200
    ready = user.get("/readyz")
    assert (ready.status_code, problem(ready)["checks"]["streaming"]) == (503, "service_unavailable")
    assert problem(ready)["checks"]["database"] == "ok"
    assert user.get("/healthz").status_code == 200
