"""The web server's threads, and clients that fall silent."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from web.worker import Worker

THREADS = 2
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Hasty(Worker):
    """Waits for a second only."""

    silence_s = 1


def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Read all of a request, and answer."""
    environ["wsgi.input"].read()
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = servers.free_port()
    here = "tests.integration.test_worker"
    options = ["--worker-class", f"{here}.Hasty", "--threads", str(THREADS), "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", f"{here}:app", "--bind", f"127.0.0.1:{port}", *options]
    with (tmp_path / "log").open("wb") as log:
        process = servers.start(command, log.fileno())
        try:
            deadline = time.monotonic() + 30
            while not servers.listens(port) and time.monotonic() < deadline:
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait(30)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "begun", [b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"]
)
def test_clients_that_fall_silent_in_a_request_dont_hold_the_threads(port: int, begun: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(THREADS):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            silent.sendall(begun)
        time.sleep(0.3)
        asked = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        asked.sendall(WHOLE)
        assert asked.recv(15) == b"HTTP/1.1 200 OK"
