"""A proxy in front of an S3 server that counts requests, and lets them fail as a network's path does."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

BLOCK_BYTES = 64 * 1024
_BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
_NEVER_A_BODY = frozenset({204, 304})


@dataclass(frozen=True)
class Faults:
    """What goes wrong: shares of all requests, from 0 to 1, and the longest delay of one.

    A cut lies anywhere in a request's or an answer's body, or between the two: then the server
    has done what was asked for, and the client can't know.
    """

    refused: float = 0.0
    cut: float = 0.0
    delay_s: float = 0.0


@dataclass
class Exchange:
    """A request as it went by; `status` is 0 as long as it has no answer.

    `span` is the request's Range. The bytes are those of the bodies, as far as they were passed on.
    """

    method: str
    path: str
    span: str | None = None
    status: int = 0
    taken_bytes: int = 0
    given_bytes: int = 0


@dataclass
class Proxy:
    """A running proxy: `faults` may be changed at any time, `exchanges` grow."""

    url: str
    server: tuple[str, int]
    random: random.Random
    faults: Faults = Faults()
    exchanges: list[Exchange] = field(default_factory=list)

    def of(self, method: str, part: str) -> list[Exchange]:
        """Give the requests with a method whose path holds a part."""
        return [one for one in self.exchanges if one.method == method and part in one.path]


class _Cut(Exception):
    """The place where a connection is cut."""


@dataclass(frozen=True)
class _Head:
    """The head of a message: its first line's words, and what tells of its body."""

    raw: bytes
    words: list[str]
    headers: dict[str, str]

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> Self:
        raw = await reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        return cls(raw, first.split(" ", 2), {name.lower(): value.strip() for name, _, value in pairs})

    @property
    def size_bytes(self) -> int | None:
        """Give the length of the body; None where it comes in chunks."""
        if "chunked" in self.headers.get("transfer-encoding", ""):
            return None
        return int(self.headers.get("content-length", 0))


@contextmanager
def proxied(s3_url: str, seed: int = 0) -> Iterator[Proxy]:
    """Run a proxy in front of an S3 server until the block ends; `url` is the storage's through it."""
    found = re.search(r"endpoint=([^&]+)", s3_url)
    assert found
    server = urlsplit(unquote(found[1]))
    assert server.hostname
    assert server.port
    loop, started = asyncio.new_event_loop(), threading.Event()
    proxy = Proxy("", (server.hostname, server.port), random.Random(seed))

    async def serve() -> None:
        listening = await asyncio.start_server(lambda *client: _serve(proxy, *client), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        proxy.url = s3_url.replace(found[1], f"http://127.0.0.1:{port}")
        started.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, name="fault proxy", daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _stop() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _serve(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what one client asks for, until it or the server leaves, or the connection is cut."""
    ways_out = [writer]
    # What is written here counts as sent to the client: let little wait in between.
    writer.transport.set_write_buffer_limits(BLOCK_BYTES)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BLOCK_BYTES)
    with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, _Cut):
        from_server, to_server = await asyncio.open_connection(*proxy.server)
        ways_out.append(to_server)
        while await _pass_on(proxy, (reader, writer), (from_server, to_server)):
            pass
    for way in ways_out:
        way.transport.abort()


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pass_on(proxy: Proxy, client: _Ends, server: _Ends) -> bool:
    """Pass one request and its answer on; tells whether another one may follow."""
    request = await _Head.read(client[0])
    exchange = Exchange(request.words[0], request.words[1], request.headers.get("range"))
    proxy.exchanges.append(exchange)
    faults, dice = proxy.faults, proxy.random
    await asyncio.sleep(dice.uniform(0, faults.delay_s))
    if dice.random() < faults.refused:
        await _refuse(client, request, exchange)
        return False
    cut = dice.random() if dice.random() < faults.cut else None
    answer = await _ask(request, exchange, client, server, cut)
    client[1].write(answer.raw)
    exchange.status = int(answer.words[1])
    if exchange.method != "HEAD" and exchange.status not in _NEVER_A_BODY:
        async for size in _relay(answer, server[0], client[1], cut):
            exchange.given_bytes += size
    await client[1].drain()
    return True


async def _ask(
    request: _Head, exchange: Exchange, client: _Ends, server: _Ends, cut: float | None
) -> _Head:
    """Pass a request on and give the answer; of the cuts of one with a body, half take its answer."""
    server[1].write(request.raw)
    if request.headers.get("expect") == "100-continue":
        early = await _Head.read(server[0])
        if early.words[1] != "100":
            return early
        client[1].write(early.raw)
    if request.size_bytes == 0:
        return await _Head.read(server[0])
    in_body = cut is not None and cut < 0.5
    async for size in _relay(request, client[0], server[1], 2 * cut if in_body and cut else None):
        exchange.taken_bytes += size
    answer = await _Head.read(server[0])
    if cut is not None:
        raise _Cut
    return answer


async def _refuse(client: _Ends, request: _Head, exchange: Exchange) -> None:
    if "expect" not in request.headers and request.size_bytes:
        await client[0].readexactly(request.size_bytes)  # or its sender wouldn't read the answer
    exchange.status = 503
    body = b"" if exchange.method == "HEAD" else _BUSY
    client[1].write(
        b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(_BUSY), body)
    )
    await client[1].drain()
    with suppress(TimeoutError):  # until the client has gone too: a reset could overtake the answer
        await asyncio.wait_for(client[0].read(), 5)


async def _relay(
    head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: float | None
) -> AsyncIterator[int]:
    """Pass a body on, and give the sizes of its blocks; raises _Cut after a share of it."""
    size_bytes = head.size_bytes
    if size_bytes is None:
        async for size in _relay_chunks(reader, writer):
            yield size
        return
    last = size_bytes if cut is None else int(cut * size_bytes)
    while size_bytes:
        block = await reader.read(min(BLOCK_BYTES, size_bytes))
        if not block:
            raise ConnectionResetError
        writer.write(block[:last])
        await writer.drain()
        yield len(block[:last])
        size_bytes -= len(block)
        last -= len(block)
        if last < 0:
            raise _Cut
    if cut is not None:
        raise _Cut


async def _relay_chunks(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> AsyncIterator[int]:
    """Pass a chunked body on (RFC 9112, section 7.1), without trailers."""
    size = 1
    while size:
        line = await reader.readline()
        size = int(line.partition(b";")[0], 16)
        writer.write(line + await reader.readexactly(size + 2))
        await writer.drain()
        yield size
