"""The web as users meet it: a real gunicorn gateway, its services mounted or in other processes."""

from __future__ import annotations

import json
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from nextstream import wiring
from nextstream.domain.accounts import Role
from nextstream.ports import Platform
from nextstream.services import accounts
from nextstream.settings import PREFIX, Settings
from tests import conformity, servers

KEY = "only-for-tests-0123456789-0123456789"
PASSWORD = "correct horse battery"
THREADS = 32
SERVICES = ("auth", "upload", "streaming")


@dataclass
class Site:
    """A running gateway; `platform` is over the same database and storage."""

    url: str
    folder: Path
    platform: Platform
    pids: dict[str, int] = field(default_factory=dict)
    services: dict[str, tuple[str, int]] = field(default_factory=dict)  # where they run by themselves

    @property
    def address(self) -> tuple[str, int]:
        return _address(self.url)

    def user(self, role: Role = Role.UPLOADER) -> Client:
        """Give a client of an account of its own, logged in by a token."""
        name = f"user-{uuid.uuid4().hex[:12]}"
        account = accounts.add(self.platform, name, PASSWORD, role)
        client = Client(self, account.id, name)
        login = client.post("/api/v1/auth/login", json={"name": name, "password": PASSWORD})
        client.session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        return client

    def guest(self) -> Client:
        """Give a client that isn't logged in."""
        return Client(self, "", "")

    def send(self, raw: bytes, wait_s: float = 10) -> bytes:
        """Send bytes as they are, end there, and give all that comes back."""
        with socket.create_connection(self.address, timeout=wait_s) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def log(self) -> str:
        """Give what all processes have logged so far."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@dataclass
class Client:
    """A user of a site."""

    site: Site
    account_id: str
    name: str
    session: requests.Session = field(default_factory=requests.Session)

    def __getattr__(self, method: str) -> Any:
        def call(path: str, **options: Any) -> requests.Response:
            answer = self.session.request(method.upper(), self.site.url + path, timeout=60, **options)
            body = b"" if options.get("stream") else answer.content
            if answer.url.startswith(self.site.url):  # elsewhere it is another's answer
                conformity.check(method.upper(), path, answer.status_code, answer.headers, body)
            return answer

        return call

    @property
    def token(self) -> str:
        return str(self.session.headers["Authorization"])

    def upload(self, body: bytes = b"film", name: str = "clip.mp4") -> str:
        """Send a file and give the id of its video."""
        answer = self.put(f"/api/v1/uploads/{name}", data=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@contextmanager
def run(folder: Path, *, separate: bool, **chosen: str) -> Iterator[Site]:
    """Run a gateway over SQLite and a folder, without a queue and workers; settings by keyword."""
    base = {
        "DATA_DIR": str(folder),
        "REDIS_URL": wiring.MEMORY,
        "FFMPEG": wiring.MEMORY,
        "SECRET_KEY": KEY,
        # All tests come from one address.
        "LIMIT_LOGIN": "",
        "LIMIT_REGISTER": "",
        "LOGIN_ADDRESS_TRIES": "100000",
        "LOG_FORMAT": "json",
        "WEB_THREADS": str(THREADS),
        **{name.upper(): value for name, value in chosen.items()},
    }
    settings = Settings.read(_variables(base))
    wiring.migrate(settings)
    platform = wiring.build(settings)
    with ExitStack() as stack:
        stack.callback(platform.database.close)
        pids, urls = {}, {}
        for name in SERVICES if separate else ():
            env = {**base, **urls, "SERVICES": name}  # the others fetch auth's public keys
            url, pids[name] = stack.enter_context(gunicorn("web.wsgi:app", env, folder, name))
            urls[f"{name.upper()}_URL"] = url
        url, pids["gateway"] = stack.enter_context(
            gunicorn("gateway.wsgi:app", {**base, **urls}, folder, "gateway")
        )
        places = {name.removesuffix("_URL").lower(): _address(at) for name, at in urls.items()}
        yield Site(url, folder, platform, pids, places)


@contextmanager
def gunicorn(app: str, env: Mapping[str, str], folder: Path, name: str) -> Iterator[tuple[str, int]]:
    """Run one app with one worker; gives its address and its master's process id."""
    port = servers.free_port()
    options = ["--worker-class", "web.worker.Worker", "--threads", str(THREADS), "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", *options]
    with (folder / f"{name}.log").open("ab") as log:
        process = servers.start(command, log.fileno(), env=_variables(env))
        try:
            _wait(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            servers.end(process)


def _address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def _variables(env: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{name}": value for name, value in env.items()}


def _wait(url: str, process: Any, wait_s: float = 60) -> None:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{url}/healthz", timeout=10).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise servers.NotStarted(f"{process.args!r}")


def problem(answer: requests.Response) -> dict[str, Any]:
    """Give the problem details of an answer, and check that they are some."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert {"type", "title", "code", "detail"} <= set(body)
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


def parse(raw: bytes) -> tuple[int, dict[str, Any]]:
    """Give the status and JSON body of an answer as it came over the wire."""
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body) if body.strip() else {}


def memory_bytes(pid: int, what: str = "VmHWM") -> int:
    """Give the peak resident memory of a process's youngest child: gunicorn's worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = Path(f"/proc/{children[-1]}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def reset_peak(pid: int) -> None:
    """Begin to measure a worker's peak anew."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    Path(f"/proc/{children[-1]}/clear_refs").write_text("5")
