"""Reaches addresses that users name for their webhooks, on public machines alone."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from nextstream.adapters import public_internet
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
        self._plain, self._secure = public_internet.connections(self._allows)

    def check(self, url: str) -> None:
        """Raise AddressRefused for what is no http or https URL of an allowed port."""
        self._parse(url)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and give the answer's status."""
        target = self._parse(url)
        connection = self._open(target)
        sent = {"User-Agent": AGENT, "Content-Length": str(len(body)), **headers}
        with self._bounded(connection) as over:
            connection.connect()
            if over.is_set():  # while there was no connection to cut
                raise OutsideUnavailable(detail="it took too long to reach")
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
        try:
            found.host.encode("idna")  # as the resolver does
        except UnicodeError as error:
            raise AddressRefused from error
        return found

    def _open(self, url: Url) -> HTTPConnection:
        host = (url.host or "").strip("[]")
        if url.scheme == "http":
            return self._plain(host, url.port or 80, timeout=CONNECT_S)
        context = ssl.create_default_context()
        return self._secure(host, url.port or 443, timeout=CONNECT_S, ssl_context=context)

    def _allows(self, address: str) -> bool:
        return self._private or addresses.is_public(address)

    @contextmanager
    def _bounded(self, connection: HTTPConnection) -> Iterator[threading.Event]:
        """End the connection when its time is over, which it tells; translate what goes wrong on it."""
        over = threading.Event()
        timer = threading.Timer(self._post_s, _cut, [connection, over])
        timer.start()
        try:
            yield over
            if over.is_set():  # what came until then may look whole
                raise OutsideUnavailable(detail="it took too long")
        except public_internet.Inside as error:
            raise AddressRefused from error
        except (HTTPError, HTTPException, OSError) as error:
            raise OutsideUnavailable(detail=type(error).__name__) from error
        finally:
            timer.cancel()
            connection.close()


def _cut(connection: HTTPConnection, over: threading.Event) -> None:
    over.set()
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
