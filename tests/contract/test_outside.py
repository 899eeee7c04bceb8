"""How addresses that users name are reached."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nextstream.adapters.outside import PublicWeb
from nextstream.adapters.outside_memory import MemoryOutside
from nextstream.errors import AddressRefused, OutsideUnavailable
from nextstream.ports import Outside
from tests import servers


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.heard.append((self.path, body, dict(self.headers)))
        self.send_response(server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    server.heard, server.status = [], 204
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["memory", "real"])
def outside(request: pytest.FixtureRequest) -> Outside:
    return MemoryOutside() if request.param == "memory" else PublicWeb()


@pytest.mark.parametrize("url", ["", "x", "ftp://a.example/", "file:///etc/passwd", "//a.example/"])
def test_what_is_no_web_address_is_refused(outside: Outside, url: str) -> None:
    with pytest.raises(AddressRefused):
        outside.check(url)


def test_a_private_address_is_refused_when_it_is_reached(outside: Outside) -> None:
    with pytest.raises(AddressRefused):
        outside.post("http://localhost/", b"{}", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://a:b@h.example/",
        "https://h.example:22/",
        "http://[::1",
        "http:",
        "http://a..example/",  # names that no resolver takes
        "http://.example/",
        f"http://{'a' * 64}.example/",
    ],
)
def test_odd_addresses_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        PublicWeb().check(url)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0", "[::1]",
     "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
)  # fmt: skip
def test_no_form_of_a_private_address_is_sent_a_byte(
    host: str, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = receiver.server_address[1]
    monkeypatch.setattr("nextstream.adapters.outside.PORTS", (port,))
    with pytest.raises(AddressRefused):
        PublicWeb().post(f"http://{host}:{port}/", b"{}", {})
    assert receiver.heard == []


def post(receiver: Any, **options: Any) -> int:
    url = f"http://127.0.0.1:{receiver.server_address[1]}/hook?a=b"
    return PublicWeb(private=True, **options).post(url, b'{"a": 1}', {"X-Signed": "yes"})


def test_a_body_arrives_with_its_headers_at_its_path(receiver: Any) -> None:
    assert post(receiver) == 204
    (path, body, headers) = receiver.heard[0]
    assert (path, body, headers["X-Signed"]) == ("/hook?a=b", b'{"a": 1}', "yes")
    assert headers["User-Agent"] == "NextStream"


@pytest.mark.parametrize("status", [301, 307, 400, 410, 500])
def test_any_answer_is_given_and_no_redirect_followed(receiver: Any, status: int) -> None:
    receiver.status = status
    assert post(receiver) == status
    assert len(receiver.heard) == 1


def test_nobody_there_is_told() -> None:
    with pytest.raises(OutsideUnavailable):
        PublicWeb(private=True).post(f"http://127.0.0.1:{servers.free_port()}/", b"", {})


def drip(connection: socket.socket) -> None:
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(200):
            connection.sendall(b"X-%d: y\r\n" % number)
            time.sleep(0.05)
    except OSError:
        pass


@pytest.mark.parametrize("talk", [drip, lambda _: time.sleep(3), lambda c: c.sendall(b"what\r\n\r\n")])
def test_a_receiver_that_is_slow_or_makes_no_sense_is_left(
    talk: Callable[[socket.socket], None],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(OutsideUnavailable):
            PublicWeb(private=True, post_s=0.5).post(
                f"http://127.0.0.1:{listener.getsockname()[1]}/", b"x", {}
            )
        assert time.monotonic() - begun < 2


def test_a_name_that_takes_long_to_find_gives_its_receiver_no_more_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor one with many addresses where nobody is: while there is no connection, none can be cut."""
    resolve = socket.getaddrinfo

    def resolve_slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.4)
        return resolve(*arguments, **options)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(socket, "getaddrinfo", resolve_slowly)
        threading.Thread(target=lambda: drip(listener.accept()[0]), daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(OutsideUnavailable):
            PublicWeb(private=True, post_s=0.2).post(
                f"http://127.0.0.1:{listener.getsockname()[1]}/", b"x", {}
            )
        assert time.monotonic() - begun < 3
