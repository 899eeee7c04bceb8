"""The proxy against services that behave badly, played by sockets."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from urllib3.exceptions import ProtocolError
from werkzeug import Response
from werkzeug.test import EnvironBuilder

from gateway import admission, proxy
from gateway.proxy import Upstream
from nextstream.errors import (
    NextStreamError,
    ServiceBroken,
    ServiceTimeout,
    ServiceUnavailable,
    UploadIncomplete,
)
from tests import servers
from web import wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Talk = Callable[[socket.socket], None]


@contextmanager
def service(*talks: Talk, seats: int = 9) -> Iterator[Upstream]:
    """Give an upstream whose connections are answered by these, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for talk in talks:
                connection, _ = listener.accept()
                with connection:
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Upstream(address, seats=seats, silence_s=0.5, finish_s=10)
        thread.join(5)


def head_of(connection: socket.socket) -> bytes:
    """Read a request's head, to the byte."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    return head


def answering(raw: bytes, heard: list[bytes] | None = None) -> Talk:
    def talk(connection: socket.socket) -> None:
        head = head_of(connection)
        if heard is not None:
            heard.append(head)
        connection.sendall(raw)

    return talk


def environ(method: str = "GET", path: str = "/v/a?b=c", **options: Any) -> dict[str, Any]:
    built = EnvironBuilder(path, "http://films.example.org", method=method, **options).get_environ()
    return {**built, "RAW_URI": path, "REMOTE_ADDR": "192.0.2.7", "wsgi.input_terminated": True}


def body_of(response: Response, asked: dict[str, Any]) -> bytes:
    return b"".join(response(asked, lambda *_: lambda _: None))


def forward(upstream: Upstream, asked: dict[str, Any]) -> tuple[Response, bytes]:
    response = upstream.forward(asked)
    return response, body_of(response, asked)


def test_a_request_keeps_its_headers_but_for_those_of_the_connection() -> None:
    heard: list[bytes] = []
    headers = {
        "Accept": "text/plain",
        "Cookie": "a=b; c=d",
        "X-Request-ID": "r1",
        "Connection": "keep-alive, te",
        "Keep-Alive": "timeout=5",
        "Proxy-Authorization": "Basic x",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Expect": "100-continue",
        "X-Forwarded-For": "198.51.100.1",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=198.51.100.1",
        "X-Real-IP": "198.51.100.1",
    }
    with service(answering(OK, heard)) as upstream:
        forward(upstream, environ(headers=headers))
    line, *lines = heard[0].decode().strip().split("\r\n")
    sent = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
    assert line == "GET /v/a?b=c HTTP/1.1"
    assert sent["host"].startswith("127.0.0.1:")
    assert (sent["accept"], sent["cookie"], sent["x-request-id"]) == ("text/plain", "a=b; c=d", "r1")
    assert sent["x-forwarded-for"] == "192.0.2.7"
    assert (sent["x-forwarded-proto"], sent["x-forwarded-host"]) == ("http", "films.example.org")
    lost = {"connection", "keep-alive", "proxy-authorization", "te", "upgrade", "expect"}
    assert not (lost | {"forwarded", "x-real-ip", "x-forwarded-prefix"}) & set(sent)


def test_an_answer_keeps_its_headers_but_for_those_of_the_connection() -> None:
    raw = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nContent-Range: bytes 0-1/9\r\n"
        b"Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nContent-Encoding: gzip\r\nServer: x\r\n"
        b"Keep-Alive: timeout=5\r\nConnection: keep-alive\r\nLocation: /here\r\n\r\nok"
    )
    with service(answering(raw)) as upstream:
        response, body = forward(upstream, environ())
    assert (response.status, body) == ("206 Partial Content", b"ok")
    assert response.headers.getlist("Set-Cookie") == ["a=1; Path=/", "b=2"]
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Location"] == "/here"
    assert not {"Server", "Keep-Alive", "Connection"} & set(response.headers.keys())


def test_a_redirect_is_for_the_client_to_follow() -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with service(answering(raw)) as upstream:
        assert forward(upstream, environ())[0].status_code == 302


def test_a_connection_is_used_again() -> None:
    def twice(connection: socket.socket) -> None:
        for _ in range(3):
            head_of(connection)
            connection.sendall(OK)

    with service(twice) as upstream:
        assert [forward(upstream, environ())[1] for _ in range(2)] == [b"ok", b"ok"]
        forward(upstream, environ("HEAD"))


def test_an_answer_begins_before_it_is_whole() -> None:
    go_on = threading.Event()

    def talk(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        go_on.wait(5)
        connection.sendall(b"2\r\n!!\r\n0\r\n\r\n")

    with service(talk) as upstream:
        asked = environ()
        blocks = iter(upstream.forward(asked)(asked, lambda *_: lambda _: None))
        assert next(blocks) == b"ok"
        go_on.set()
        assert list(blocks) == [b"!!"]


def test_an_answer_cut_off_breaks_off_and_is_never_filled_up() -> None:
    with service(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")) as upstream:
        asked = environ()
        response = upstream.forward(asked)
        assert response.headers["Content-Length"] == "9"
        with pytest.raises(ProtocolError):
            body_of(response, asked)


def test_a_client_that_leaves_ends_the_work_for_it() -> None:
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 65536)
        except OSError:
            ended.set()

    with service(talk) as upstream:
        asked = environ()
        response = upstream.forward(asked)
        response(asked, lambda *_: lambda _: None).close()  # type: ignore[attr-defined]  # as gunicorn does
        assert ended.wait(2)
        assert response.status_code == 200


def test_a_stale_connection_costs_a_reading_request_nothing() -> None:
    def hang_up(connection: socket.socket) -> None:
        head_of(connection)

    with service(hang_up, answering(OK)) as upstream:
        assert forward(upstream, environ())[1] == b"ok"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_changing_request_is_sent_once(method: str) -> None:
    heard: list[bytes] = []

    def hang_up(connection: socket.socket) -> None:
        heard.append(head_of(connection))

    with service(hang_up) as upstream, pytest.raises(ServiceBroken):
        forward(upstream, environ(method))
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("talk", "error"),
    [
        (answering(b"what?\r\n\r\n"), ServiceBroken),
        (lambda connection: time.sleep(1), ServiceTimeout),
    ],
)
def test_a_service_that_makes_no_sense_or_is_silent_is_told_apart(
    talk: Talk, error: type[NextStreamError]
) -> None:
    with service(talk) as upstream, pytest.raises(error) as caught:
        forward(upstream, environ("POST"))
    assert "127.0.0.1" not in caught.value.message


def test_a_service_that_is_away_is_unavailable() -> None:
    upstream = Upstream(f"http://127.0.0.1:{servers.free_port()}")
    for method in ("GET", "PUT"):
        with pytest.raises(ServiceUnavailable):
            upstream.forward(environ(method))
    with pytest.raises(ServiceUnavailable):
        upstream.check()


def test_a_service_is_ready_when_it_says_so() -> None:
    with service(answering(OK)) as upstream:
        upstream.check()
    with (
        service(answering(OK.replace(b"200 OK", b"503 No"))) as upstream,
        pytest.raises(ServiceUnavailable),
    ):
        upstream.check()


def read_body(connection: socket.socket, size_bytes: int) -> bytes:
    body = b""
    while len(body) < size_bytes and (block := connection.recv(min(65536, size_bytes - len(body)))):
        body += block
    return body


def test_a_body_arrives_to_the_byte_with_its_length() -> None:
    body, got = bytes(range(256)) * 4000, []

    def talk(connection: socket.socket) -> None:
        assert f"content-length: {len(body)}" in head_of(connection).decode().lower()
        got.append(read_body(connection, len(body)))
        connection.sendall(OK)

    with service(talk) as upstream:
        forward(upstream, environ("PUT", data=body))
    assert got == [body]


def test_a_body_without_a_length_is_sent_in_chunks() -> None:
    got = []

    def talk(connection: socket.socket) -> None:
        assert "transfer-encoding: chunked" in head_of(connection).decode().lower()
        got.append(read_body(connection, 14))
        connection.sendall(OK)

    with service(talk) as upstream:
        asked = environ("PUT", headers={"Transfer-Encoding": "chunked"})
        forward(upstream, {**asked, "wsgi.input": io.BytesIO(b"film")})
    assert got == [b"4\r\nfilm\r\n0\r\n\r\n"]


def test_a_changing_request_without_a_body_says_so() -> None:
    heard: list[bytes] = []
    with service(answering(OK, heard)) as upstream:
        forward(upstream, environ("POST"))
    assert b"content-length: 0" in heard[0].lower()


def test_a_cut_body_breaks_the_request_off() -> None:
    got = []

    def talk(connection: socket.socket) -> None:
        head_of(connection)
        got.append(read_body(connection, 10))

    asked = {**environ("PUT"), "CONTENT_LENGTH": "10", "wsgi.input": io.BytesIO(b"film")}
    with service(talk) as upstream, pytest.raises(UploadIncomplete, match="4 of 10"):
        upstream.forward(asked)
    assert got == [b"film"]


def test_a_client_that_falls_silent_in_its_body_gives_its_seat_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else some dozens of them would keep a service from everybody, for as long as they like."""

    def wait(connection: socket.socket) -> None:
        head_of(connection)
        while connection.recv(65536):  # until the gateway parts
            pass

    monkeypatch.setattr(wire, "patience", partial(wire.patience, seconds=0.2))
    gateways, clients = socket.socketpair()
    with gateways, clients, service(wait, answering(OK), seats=1) as upstream:
        clients.sendall(b"film")
        silent = {"gunicorn.socket": gateways, "wsgi.input": gateways.makefile("rb", buffering=0)}
        with pytest.raises(UploadIncomplete):
            upstream.forward({**environ("PUT"), "CONTENT_LENGTH": "10", **silent})
        assert gateways.gettimeout() is None
        assert forward(upstream, environ())[1] == b"ok"


def test_an_early_answer_stops_the_body_and_the_connection_is_not_used_again() -> None:
    refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"

    def refuse(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(refusal)
        while connection.recv(65536):  # as a service that reads on until the gateway parts
            pass

    class Endless(io.RawIOBase):
        sent = 0

        def read(self, size: int = -1) -> bytes:
            time.sleep(0.01)
            self.sent += size
            assert self.sent < 50_000_000, "nobody stops the body"
            return b"x" * size

    with service(refuse, answering(OK)) as upstream:
        asked = {**environ("PUT"), "CONTENT_LENGTH": str(10**9), "wsgi.input": Endless()}
        response, body = forward(upstream, asked)
        assert (response.status_code, body) == (401, b"no")
        assert forward(upstream, environ())[1] == b"ok"


def test_a_service_that_takes_a_body_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "CONNECT_S", 0.1)

    def talk(connection: socket.socket) -> None:
        head_of(connection)
        time.sleep(0.3)
        read_body(connection, 8_000_000)
        connection.sendall(OK)

    with service(talk) as upstream:
        assert forward(upstream, environ("PUT", data=b"x" * 8_000_000))[1] == b"ok"


def test_a_request_keeps_its_seat_until_its_answer_is_closed() -> None:
    with service(answering(OK), answering(OK), seats=1) as upstream:
        asked = environ()
        open_answer = upstream.forward(asked)(asked, lambda *_: lambda _: None)
        with pytest.raises(ServiceUnavailable, match="Too many"):
            upstream.forward(environ())
        open_answer.close()  # type: ignore[attr-defined]  # as gunicorn does
        forward(upstream, environ())


def test_a_request_that_failed_gives_its_seat_back() -> None:
    with service(answering(b"what?\r\n\r\n"), answering(OK), seats=1) as upstream:
        with pytest.raises(ServiceBroken):
            upstream.forward(environ("POST"))
        forward(upstream, environ())


def test_a_service_that_hangs_is_soon_left_alone() -> None:
    heard: list[bytes] = []

    def hang(connection: socket.socket) -> None:
        heard.append(head_of(connection))
        time.sleep(0.2)

    with service(*[hang] * admission.FAILURES) as upstream:
        for _ in range(admission.FAILURES):
            with pytest.raises(ServiceTimeout):
                upstream.forward(environ("POST"), silence_s=0.1)
        with pytest.raises(ServiceUnavailable):
            upstream.forward(environ("POST"))
    assert len(heard) == admission.FAILURES
