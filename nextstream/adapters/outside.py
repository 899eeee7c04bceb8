"""Reaches addresses that users name; whoever is connected in the end must be a public machine.

A name is resolved once, and only a public address that came of it is connected to: so no form of an
address, no redirect and no second answer of the name server gets past it, and nobody can feel for
what listens on our machines.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from nextstream.domain import addresses
from nextstream.errors import AddressRefused, OutsideUnavailable

CONNECT_S = 5.0
POST_S = 15.0  # all of it: a receiver that answers byte by byte holds a worker no longer
PORTS = (80, 443)
AGENT = "NextStream"


class PublicWeb:
    """The internet; with `private` also this network, and any port, for those who trust their users."""

    def __init__(self, *, private: bool = False, post_s: float = POST_S) -> None:
        self._private = private
        self._post_s = post_s

    def check(self, url: str) -> None:
        """Raise AddressRefused for what is no http or https URL of an allowed port."""
        self._parse(url)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and give the answer's status."""
        target = self._parse(url)
        connection = self._open(target)
        sent = {"User-Agent": AGENT, "Content-Length": str(len(body)), **headers}
        with self._bounded(connection):
            connection.request("POST", target.request_uri, body, sent, preload_content=False)
            return connection.getresponse().status

    def _parse(self, url: str) -> Url:
        try:
            found = parse_url(url)
        except LocationParseError as error:
            raise AddressRefused from error
        if found.scheme not in ("http", "https") or not found.host or found.auth:
            raise AddressRefused
        if found.port not in (None, *PORTS) and not self._private:
            raise AddressRefused("This port can't be used; choose an address on port 443 or 80.")
        return found

    def _open(self, url: Url) -> HTTPConnection:
        host = (url.host or "").strip("[]")
        if url.scheme == "http":
            plain = _Plain(host, url.port or 80, timeout=CONNECT_S)
            plain.private = self._private
            return plain
        context = ssl.create_default_context()
        secure = _Secure(host, url.port or 443, timeout=CONNECT_S, ssl_context=context)
        secure.private = self._private
        return secure

    @contextmanager
    def _bounded(self, connection: HTTPConnection) -> Iterator[None]:
        """End the connection when its time is over, and translate what goes wrong on it."""
        over = threading.Event()
        timer = threading.Timer(self._post_s, _cut, [connection, over])
        timer.start()
        try:
            yield
            if over.is_set():  # what came until then may look whole
                raise OutsideUnavailable(detail="it took too long")
        except (HTTPError, HTTPException, OSError) as error:
            raise OutsideUnavailable(detail=type(error).__name__) from error
        finally:
            timer.cancel()
            connection.close()


class _Plain(HTTPConnection):
    """A connection whose peer is public."""

    private = False

    def _new_conn(self) -> socket.socket:
        return super()._new_conn() if self.private else _connect(self)


class _Secure(HTTPSConnection):
    """The same over TLS."""

    private = False

    def _new_conn(self) -> socket.socket:
        return super()._new_conn() if self.private else _connect(self)


def _connect(wanted: HTTPConnection) -> socket.socket:
    """Connect to the first address of a name that answers; raises AddressRefused for a private one."""
    found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    numbers = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not all(map(addresses.is_public, numbers)):
        raise AddressRefused
    for number in numbers[:-1]:
        with suppress(OSError):
            return socket.create_connection((number, wanted.port), CONNECT_S)
    return socket.create_connection((numbers[-1], wanted.port), CONNECT_S)


def _cut(connection: HTTPConnection, over: threading.Event) -> None:
    over.set()
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
