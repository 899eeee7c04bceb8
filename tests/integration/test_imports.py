"""Files from elsewhere: fetched whole, resumed by range, and never from inside."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

import pytest

from nextstream.adapters import remote_http
from nextstream.adapters.remote_http import HttpRemote
from nextstream.domain import addresses
from nextstream.errors import BadRequest, RemoteRefused, RemoteUnavailable
from nextstream.ports import Remote

FILM = bytes(range(256)) * 40


@dataclass
class Elsewhere:
    """A web server on all of this machine's addresses, and what it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)


def whole(headers: dict[str, str]) -> list[tuple[str, str]]:
    """Give the headers that say something."""
    return [(name, value) for name, value in headers.items() if value]


def deliver(to: BufferedIOBase, body: bytes, *, is_slow: bool) -> None:
    """Send a body, byte by byte where it is to be slow, as long as somebody wants it."""
    with suppress(OSError):
        for block in [body[at : at + 1] for at in range(len(body))] if is_slow else [body]:
            to.write(block)
            time.sleep(0.02 * is_slow)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    place = Elsewhere(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            place.asked.append(self.path)
            status, headers, body = place.answers.get(self.path, (404, {}, b""))
            if self.headers.get("Range") and status == 206:
                start = int(self.headers["Range"][6:-1])
                headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
                body = body[start:]
            self.send_response(status)
            for name, value in whole({"Content-Length": str(len(body)), **headers}):
                self.send_header(name, value)
            self.end_headers()
            deliver(self.wfile, body, is_slow=self.path == "/slow")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

    server = Server(("::", 0), Handler)
    place.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield place
    server.shutdown()
    server.server_close()


def get(remote: Remote, url: str, offset: int = 0) -> bytes:
    with remote.open(url, offset) as file:
        return b"".join(file.blocks)


INSIDE = [
    *("127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1"),
    *(
        "017700000001",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1.",
        "0x7F.0.0.1",
    ),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[0000::1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]"),
]
ELSEWHERE_INSIDE = [
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "[fd00:ec2::254]", "100.64.0.1"),
    *("[fe80::1]", "[fc00::1]", "[fec0::1]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "240.0.0.1"),
    *("192.0.2.1", "198.18.0.1", "[2001:db8::1]", "[64:ff9b::a00:1]", "[2001:0:7f00:1::]", "192.0.0.1"),
]


@pytest.mark.parametrize("host", INSIDE)
def test_no_form_of_this_machines_address_is_fetched_from(elsewhere: Elsewhere, host: str) -> None:
    remote = HttpRemote(frozenset({elsewhere.port}))
    with pytest.raises((BadRequest, RemoteUnavailable)):
        get(remote, f"http://{host}:{elsewhere.port}/film.mp4")
    assert elsewhere.asked == []


@pytest.mark.parametrize("address", ELSEWHERE_INSIDE)
def test_no_address_of_a_network_inside_is_public(address: str) -> None:
    assert not addresses.is_public(address.strip("[]"))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_public_internet_are_public(address: str) -> None:
    assert addresses.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "file:///etc/passwd",
            "ftp://example.org/a",
            "gopher://example.org/",
            "//example.org/a",
            "",
            "a",
        ),
        *("http://", "http:///a", "https://user:secret@example.org/a", "http://user@example.org/"),
        *(
            "http://example.org:22/",
            "http://example.org:6379/",
            "http://example.org:0/",
            "http://a:99999/",
        ),
        *(
            "http://example.org/a b",
            "http://exa\nmple.org/",
            "http://example.org\\@127.0.0.1/",
            "http://[::1/",
        ),
        *(
            "http://example.org/\r\nHost: inside",
            "javascript:alert(1)",
            "data:video/mp4,x",
            "http://a/" + "x" * 3000,
        ),
    ],
)
def test_urls_that_cant_be_meant_are_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(BadRequest):
        get(HttpRemote(frozenset({80, 443})), url)


def allowed(elsewhere: Elsewhere) -> HttpRemote:
    """Give a remote for which one address of this machine is the internet, and the others are inside."""
    return HttpRemote(frozenset({elsewhere.port}), (ipaddress.ip_network("127.0.0.2/32"),))


@pytest.mark.parametrize(
    "to", ["http://127.0.0.1:{port}/secret", "http://localhost:{port}/secret", "//[::1]:{port}/secret"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_inside_is_not_followed(elsewhere: Elsewhere, to: str, status: int) -> None:
    elsewhere.answers["/a"] = (status, {"Location": to.format(port=elsewhere.port)}, b"")
    with pytest.raises(BadRequest):
        get(allowed(elsewhere), f"http://127.0.0.2:{elsewhere.port}/a")
    assert elsewhere.asked == ["/a"]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "http://127.0.0.2:22/", "http://a:b@127.0.0.2/"])
def test_a_redirect_to_another_kind_of_address_is_not_followed(elsewhere: Elsewhere, to: str) -> None:
    elsewhere.answers["/a"] = (302, {"Location": to}, b"")
    with pytest.raises(BadRequest):
        get(allowed(elsewhere), f"http://127.0.0.2:{elsewhere.port}/a")


@pytest.mark.parametrize(
    ("status", "headers"),
    [(302, {"Location": "http://["}), (302, {"Location": "//[::1"}), (200, {"Content-Length": "\xb2"})],
)
def test_an_answer_that_makes_no_sense_is_refused(
    elsewhere: Elsewhere, status: int, headers: dict[str, str]
) -> None:
    elsewhere.answers["/film"] = (status, headers, FILM)
    with pytest.raises(RemoteRefused):
        get(allowed(elsewhere), f"http://127.0.0.2:{elsewhere.port}/film")


def test_a_server_that_sends_byte_by_byte_is_left(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_http, "PACE_S", 0.3)
    elsewhere.answers["/slow"] = (200, {}, FILM)
    began_at = time.monotonic()
    with pytest.raises(RemoteUnavailable, match="bytes in"):
        get(allowed(elsewhere), f"http://127.0.0.2:{elsewhere.port}/slow")
    assert time.monotonic() - began_at < 10  # all of it takes 200 s


def test_a_name_of_many_addresses_is_tried_at_few(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def refuse(address: tuple[str, int], _: object) -> socket.socket:
        tried.append(address[0])
        raise ConnectionRefusedError

    found = [(0, 0, 0, "", (f"198.51.100.{number}", 80)) for number in range(100)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(RemoteUnavailable):
        get(
            HttpRemote(frozenset({80}), (ipaddress.ip_network("198.51.100.0/24"),)),
            "http://example.org/",
        )
    assert 1 < len(tried) < 10


def test_redirects_are_followed_three_times(elsewhere: Elsewhere) -> None:
    for number in range(3):
        elsewhere.answers[f"/{number}"] = (302, {"Location": f"/{number + 1}"}, b"")
    elsewhere.answers["/3"] = (200, {}, FILM)
    assert get(allowed(elsewhere), f"http://127.0.0.2:{elsewhere.port}/0") == FILM
    elsewhere.answers["/3"] = (302, {"Location": "/0"}, b"")
    with pytest.raises(RemoteRefused):
        get(allowed(elsewhere), f"http://127.0.0.2:{elsewhere.port}/0")


def test_no_proxy_of_the_environment_is_used(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.2:{elsewhere.port}")
    with pytest.raises(BadRequest):
        get(allowed(elsewhere), f"http://127.0.0.1:{elsewhere.port}/film")
    assert elsewhere.asked == []


def test_a_file_is_fetched_from_a_byte_on(elsewhere: Elsewhere) -> None:
    elsewhere.answers["/film"] = (206, {}, FILM)
    with allowed(elsewhere).open(f"http://127.0.0.2:{elsewhere.port}/film", 100) as file:
        assert (file.offset, file.size_bytes) == (100, len(FILM))
        assert b"".join(file.blocks) == FILM[100:]


def test_an_answer_that_breaks_off_is_never_a_whole_file(elsewhere: Elsewhere) -> None:
    elsewhere.answers["/film"] = (
        200,
        {"Content-Length": str(len(FILM) + 1), "Connection": "close"},
        FILM,
    )
    with pytest.raises(RemoteUnavailable):
        get(allowed(elsewhere), f"http://127.0.0.2:{elsewhere.port}/film")


CHUNKED = b"5\r\nfilm \r\n400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", [0, 2, 7, 9, 500, 1030])
def test_a_chunked_answer_is_whole_only_with_its_last_chunk(elsewhere: Elsewhere, cut: int) -> None:
    headers = {"Content-Length": "", "Transfer-Encoding": "chunked", "Connection": "close"}
    elsewhere.answers["/film"] = (200, headers, CHUNKED[: len(CHUNKED) - cut])
    url = f"http://127.0.0.2:{elsewhere.port}/film"
    if cut > 4:  # behind the last chunk's size nothing more can come
        with pytest.raises(RemoteUnavailable):
            get(allowed(elsewhere), url)
    else:
        assert get(allowed(elsewhere), url) == b"film " + b"x" * 1024
