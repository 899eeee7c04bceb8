"""Fetches files over HTTP for users; whatever a URL says, no connection is made that leads inside."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError

from nextstream.adapters import public_internet
from nextstream.domain import addresses, remote_urls
from nextstream.errors import BadRequest, RemoteRefused, RemoteUnavailable
from nextstream.ports import RemoteFile

BLOCK_BYTES = 256 * 1024
CONNECT_S, SILENCE_S = 10.0, 60.0
# Bytes a second over so many seconds: who sends them one by one would hold a worker for hours.
SLOWEST_BPS, PACE_S = 4096, 60.0
REDIRECTS = 3
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)")
INSIDE = "The URL leads to an address that is not on the public internet."


class HttpRemote:
    """The public internet, by these ports, and networks inside that an operator allows."""

    def __init__(self, ports: frozenset[int], allowed: tuple[remote_urls.Network, ...] = ()) -> None:
        self._ports, self._allowed = ports, allowed
        self._plain, self._secure = public_internet.connections(self._allows)

    @contextmanager
    def open(self, url: str, offset: int = 0) -> Iterator[RemoteFile]:
        """Begin to fetch a file, through at most three redirects."""
        answer = self._follow(url, offset)
        try:
            yield _describe(answer, offset)
        finally:
            answer.close()

    def _follow(self, url: str, offset: int) -> urllib3.BaseHTTPResponse:
        for _ in range(REDIRECTS + 1):
            answer = self._ask(url, offset)
            if answer.status not in _REDIRECT:
                return answer
            answer.close()
            url = _lead(url, answer.headers.get("Location", ""))
        raise RemoteRefused("The URL leads on and on; give the one of the file itself.")

    def _ask(self, url: str, offset: int) -> urllib3.BaseHTTPResponse:
        parts = remote_urls.check(url, self._ports)
        timeout = urllib3.Timeout(connect=CONNECT_S, read=SILENCE_S)
        host, port = str(parts.hostname), parts.port or remote_urls.PORTS[parts.scheme]
        pool = urllib3.HTTPConnectionPool(host, port, timeout=timeout, retries=False)
        pool.ConnectionCls = self._plain
        if parts.scheme == "https":
            context = ssl.create_default_context()
            pool = urllib3.HTTPSConnectionPool(
                host, port, timeout=timeout, retries=False, ssl_context=context
            )
            pool.ConnectionCls = self._secure
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept-Encoding": "identity", "User-Agent": "NextStream"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        try:
            return pool.urlopen(
                "GET",
                target,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except public_internet.Inside as error:
            raise BadRequest(INSIDE) from error
        except (HTTPError, OSError, UnicodeError) as error:  # UnicodeError from names that are none
            raise RemoteUnavailable(detail=str(error)) from error

    def _allows(self, address: str) -> bool:
        return addresses.is_public(address) or remote_urls.is_in(address, self._allowed)


def _lead(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise RemoteRefused("The URL leads to an address that can't be understood.") from error


def _describe(answer: urllib3.BaseHTTPResponse, offset: int) -> RemoteFile:
    if answer.status >= 500 or answer.status == 429:
        raise RemoteUnavailable(detail=f"status {answer.status}")
    if answer.status not in (200, 206):
        raise RemoteRefused(f"The URL's server answered {answer.status} and no file.")
    told = answer.headers.get("Content-Length", "")
    length = int(told) if _LENGTH.fullmatch(told) else None
    if length is None and answer.headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise RemoteRefused("The URL's server doesn't say where the file ends.")
    if answer.status == 200:
        return RemoteFile(_blocks(answer), length)
    run = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if run is None or int(run[1]) != offset:
        raise RemoteRefused("The URL's server gave another part of the file than was asked for.")
    return RemoteFile(_blocks(answer), None if run[2] == "*" else int(run[2]), offset)


def _blocks(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Give the bytes as they come.

    Raises RemoteUnavailable where they break off, which their end then isn't, or come too slowly.
    """
    came_bytes, waited_s = 0, 0.0
    try:
        while True:
            asked_at = time.monotonic()
            block = answer.read1(BLOCK_BYTES)
            waited_s += time.monotonic() - asked_at  # and not for our own storage
            came_bytes += len(block)
            if not block:
                return
            yield block
            if waited_s >= PACE_S:
                if came_bytes < SLOWEST_BPS * waited_s:
                    raise RemoteUnavailable(detail=f"{came_bytes} bytes in {waited_s:.0f} s")
                came_bytes, waited_s = 0, 0.0
    except (HTTPError, OSError) as error:
        raise RemoteUnavailable(detail=str(error)) from error
