"""Passing requests on to a service elsewhere, streaming both ways, by RFC 9110 section 7.6."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as SlowError
from urllib3.util.wait import wait_for_read
from werkzeug import Request, Response
from werkzeug.wsgi import get_input_stream

from gateway import guard
from gateway.admission import Admission
from nextstream.errors import (
    NextStreamError,
    ServiceBroken,
    ServiceTimeout,
    ServiceUnavailable,
    UploadIncomplete,
)
from web import wire

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = structlog.get_logger()

ANSWER_BLOCK_BYTES = 256 * 1024  # one read of a socket each, so there are fewer
CONNECT_S = 2.0
SILENCE_S = 60.0  # between two blocks, either way
FINISH_S = 300.0  # after a body, while the storage puts its parts together
CHECK_S = 3.0
SEATS = 24
IDLE_CONNECTIONS = 64
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})

# They speak of one connection, not of the request (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# What a client says of these is not to be believed; the body's length is told anew; the web server
# in front has answered Expect already.
REBUILT = frozenset({"host", "forwarded", "x-real-ip", "content-length", "expect"})
OUR_SERVERS = frozenset({"server", "date"})  # the web server in front sets its own


class _Connection(HTTPConnection):
    """A connection with two habits that urllib3's lacks.

    It gives up on connecting soon, but not on a service that takes a body slowly. And it stops
    sending when the service has answered, as one does that refuses an upload.
    """

    _has_answered = False

    def _new_conn(self) -> socket.socket:
        patience, self.timeout = self.timeout, CONNECT_S
        try:
            connected = super()._new_conn()
        finally:
            self.timeout = patience
        connected.settimeout(patience)
        return connected

    def send(self, data: Any) -> None:
        """Send, or raise the error for which urllib3 goes on to read the answer."""
        if self.sock is not None and wait_for_read(self.sock, timeout=0):
            self._has_answered = True
            raise BrokenPipeError
        super().send(data)

    @property
    def is_connected(self) -> bool:
        """Tell whether the connection can take a request: not behind half a body."""
        return not self._has_answered and super().is_connected

    def close(self) -> None:
        """Close; what is opened next begins anew."""
        super().close()
        self._has_answered = False


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class Upstream:
    """A service at an address, `http://host:port`, that may be silent for so many seconds.

    At most `seats` requests are with it at once.
    """

    def __init__(
        self, url: str, *, seats: int = SEATS, silence_s: float = SILENCE_S, finish_s: float = FINISH_S
    ) -> None:
        self._silence_s, self._finish_s = silence_s, finish_s
        self._admission = Admission(seats)
        place = urllib3.util.parse_url(url)
        self._pool = _Pool(
            place.host or "", place.port or 80, maxsize=IDLE_CONNECTIONS, blocksize=wire.BLOCK_BYTES
        )

    def forward(self, environ: WSGIEnvironment, silence_s: float | None = None) -> Response:
        """Send a request on and give the answer as soon as its headers are here.

        Raises ServiceUnavailable, ServiceTimeout or ServiceBroken, and UploadIncomplete where the
        client ends its body early. What breaks off later breaks the connection off. `silence_s`
        is another patience than the usual one with a service that says nothing.
        """
        with ExitStack() as seat:
            seat.callback(self._admission.take_seat())
            with self._admission.watch():
                answer = self._send(Request(environ), environ, silence_s or self._silence_s)
            response = self._answer(Request(environ), environ, answer)
            response.call_on_close(seat.pop_all().close)
        return response

    def _answer(
        self, request: Request, environ: WSGIEnvironment, answer: urllib3.BaseHTTPResponse
    ) -> Response:
        headers = [
            (name, value)
            for name, value in answer.headers.iteritems()
            if name.lower() not in HOP_BY_HOP | OUR_SERVERS
        ]
        if request.method == "HEAD" or answer.status in (204, 304):
            answer.read()  # there is nothing, but this gives the connection back
        status = f"{answer.status} {answer.reason or ''}".strip()
        response = Response(_blocks(answer), status, headers)
        response.call_on_close(answer.close)  # a client that leaves ends the work for it
        if _has_body(request):  # the service may have answered before its end
            response.call_on_close(partial(wire.linger, environ))
        return response

    def check(self) -> None:
        """Raise where the service is not ready."""
        try:
            answer = self._pool.request("GET", "/readyz", retries=False, timeout=CHECK_S)
        except HTTPError as error:
            raise _translate(error) from error
        if answer.status != 200:
            raise ServiceUnavailable

    def _send(
        self, request: Request, environ: WSGIEnvironment, silence_s: float
    ) -> urllib3.BaseHTTPResponse:
        """Send a request, once more where an idle connection turned out closed and nothing is lost."""
        tries = 2 if request.method in REPEATABLE and not _has_body(request) else 1
        while True:
            tries -= 1
            try:
                return self._try(request, environ, silence_s)
            except (ProtocolError, NewConnectionError) as error:
                if not tries:
                    raise _translate(error) from error
            except HTTPError as error:
                raise _translate(error) from error

    def _try(
        self, request: Request, environ: WSGIEnvironment, silence_s: float
    ) -> urllib3.BaseHTTPResponse:
        has_body = _has_body(request)
        patience_s = max(silence_s, self._finish_s) if has_body else silence_s
        with wire.patience(environ):
            return self._pool.urlopen(
                request.method,
                guard.target_of(environ),
                body=_body(request, environ) if has_body else None,
                headers=_headers(request),
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=silence_s, read=patience_s),
            )


def _headers(request: Request) -> dict[str, str]:
    """Give the headers to send: the client's, but for those of the connection and of the way here."""
    headers = {
        name: value
        for name, value in request.headers
        if name.lower() not in HOP_BY_HOP | REBUILT and not name.lower().startswith("x-forwarded-")
    }
    if request.content_length:
        headers["Content-Length"] = str(request.content_length)
    headers["X-Forwarded-For"] = request.remote_addr or "unknown"
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = request.host
    return headers


def _has_body(request: Request) -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _body(request: Request, environ: WSGIEnvironment) -> Iterator[bytes]:
    """Give the body in blocks; raises UploadIncomplete, since a server may end a cut one cleanly."""
    stream, received = get_input_stream(environ), 0
    try:
        while block := stream.read(wire.BLOCK_BYTES):
            received += len(block)
            yield block
    except wire.BROKEN as error:
        raise UploadIncomplete(detail=str(error)) from error
    if request.content_length is not None and received != request.content_length:
        raise UploadIncomplete(detail=f"{received} of {request.content_length} bytes")


def _blocks(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Give an answer's body as it comes; urllib3's own stream waits for whole blocks, and copies."""
    if answer.headers.get("Transfer-Encoding"):
        yield from answer.stream(ANSWER_BLOCK_BYTES)
        return
    while block := answer.read1(ANSWER_BLOCK_BYTES):
        yield block


def _translate(error: HTTPError) -> NextStreamError:
    """Give our error for one of urllib3's; its text is for the operator."""
    if isinstance(error, (NewConnectionError, ConnectTimeoutError)):
        return ServiceUnavailable(detail=str(error))
    if isinstance(error, SlowError):
        return ServiceTimeout(detail=str(error))
    return ServiceBroken(detail=str(error))
