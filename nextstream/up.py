"""`nextstream up`: a whole NextStream on this machine, from checks to a clean end."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import redis

from nextstream import doctor, programs, queue, wiring
from nextstream.errors import Misconfigured, NextStreamError, QueueUnavailable
from nextstream.ports import Dispatcher
from nextstream.services import accounts
from nextstream.settings import PREFIX, Settings
from nextstream.supervisor import Program, Supervisor

LONGEST_SOCKET_PATH = 100  # bytes; the kernel takes 107 and Redis adds some while it starts
READY_WITHIN_S = 120.0
DEATHS_AT_START = 3
LOOK_EVERY_S = 0.2


class NotStarted(NextStreamError):
    """NextStream didn't start; its last lines above say why."""

    code = "not_started"


@dataclass(frozen=True)
class Ready:
    """What a user needs to know when all is up; a password only at the first start."""

    url: str
    operator: str
    password: str | None
    took_s: float


def run(settings: Settings, log: Callable[[str, str], None], announce: Callable[[Ready], None]) -> None:
    """Start everything, announce it, keep it running until a signal comes, and stop it all.

    Raises Misconfigured before anything is started, and NotStarted.
    """
    started_at = time.monotonic()
    check(settings)
    supervisor = Supervisor(log)
    with claimed(settings.data_dir):
        supervisor.watch_signals()
        try:
            settings, env = prepare(settings)
            password = bring_up(supervisor, settings, env)
            if not supervisor.stopping:
                announce(_ready(settings, password, time.monotonic() - started_at))
            while not supervisor.stopping:
                supervisor.turn(0.5)
        finally:
            supervisor.stop_all()


def check(settings: Settings) -> None:
    """Raise Misconfigured with the first fault that keeps everything from starting."""
    if doctor.is_running(settings):
        raise Misconfigured(_taken(settings.data_dir))
    for finding in doctor.examine(settings):
        if not finding.ok and finding.blocks:
            raise Misconfigured(finding.says)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make the data folder and hold its lock, which the kernel lets go whatever happens."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / doctor.LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Misconfigured(_taken(folder)) from error
        yield


def prepare(settings: Settings) -> tuple[Settings, Mapping[str, str]]:
    """Make what is missing in the data folder; give the settings all programs share, and their form."""
    data = settings.data_dir.absolute()
    scratch = data / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # what a killed encoder left
    scratch.mkdir()
    shutil.rmtree(data / "metrics", ignore_errors=True)  # what another version counted may not fit ours
    chosen = {"DATA_DIR": str(data), "FLOWER_URL": f"http://127.0.0.1:{_free_port()}"}
    if not settings.scratch_dir:
        chosen["SCRATCH_DIR"] = str(scratch)
    if not settings.redis_url:
        chosen["REDIS_URL"] = f"redis+socket://{_socket_path(data)}"
    if not settings.secret_key:
        chosen["SECRET_KEY_FILE"] = str(_secret_file(data))
    env = {f"{PREFIX}{name}": value for name, value in chosen.items()}
    return Settings.read({**os.environ, **env}), env


def bring_up(supervisor: Supervisor, settings: Settings, env: Mapping[str, str]) -> str | None:
    """Start all programs, Redis first, and wait until they answer; give a new operator's password."""
    if f"{PREFIX}REDIS_URL" in env:
        _start_redis(supervisor, settings)
    wiring.migrate(settings)
    platform = wiring.build(settings)
    try:
        password = accounts.ensure_operator(platform)
        for program in _programs(settings, env):
            supervisor.start(program)
        _wait(supervisor, "the gateway", lambda: _answers(settings))
        _wait(supervisor, "the workers", lambda: _work(platform.dispatcher))
    finally:
        platform.database.close()
    return password


def _programs(settings: Settings, env: Mapping[str, str]) -> Iterator[Program]:
    port = urlsplit(settings.flower_url).port or 5555
    yield programs.gateway(settings, env)
    yield programs.media_worker(settings, env)
    yield programs.upkeep_worker(env)
    yield programs.webhooks_worker(env)
    if settings.imports:
        yield programs.uploads_worker(env)
    yield programs.beat(env)
    yield programs.flower(port, settings.data_dir / "flower.db", env)


def _start_redis(supervisor: Supervisor, settings: Settings) -> None:
    folder = settings.data_dir / "redis"
    folder.mkdir(exist_ok=True)
    supervisor.start(programs.redis_server(folder, Path(urlsplit(settings.redis_url).path)))
    _wait(supervisor, "Redis", lambda: _pings(settings.redis_url))


def _wait(supervisor: Supervisor, what: str, is_ready: Callable[[], bool]) -> None:
    """Pass the log on until something answers or a signal comes; raises NotStarted."""
    deadline = time.monotonic() + READY_WITHIN_S
    while not supervisor.stopping and not is_ready():
        if supervisor.deaths >= DEATHS_AT_START or time.monotonic() > deadline:
            raise NotStarted(f"{what.capitalize()} didn't start; the last lines above say why.")
        supervisor.turn(LOOK_EVERY_S)


def _pings(redis_url: str) -> bool:
    try:
        with redis.Redis.from_url(queue.client_url(redis_url), socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:  # not there yet, or still reading its file
        return False


def _answers(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(_reachable(settings.host), settings.port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _work(dispatcher: Dispatcher) -> bool:
    try:
        return len(dispatcher.workers(enough=2)) >= 2
    except QueueUnavailable:
        return False


def _ready(settings: Settings, password: str | None, took_s: float) -> Ready:
    url = settings.public_url or f"http://{_reachable(settings.host)}:{settings.port}"
    return Ready(url, accounts.OPERATOR, password, took_s)


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  compared  # nosec B104


def _socket_path(data: Path) -> Path:
    """Give the Redis socket's path: in the data folder, or short and private where that is too long."""
    path = data / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir(), f"nextstream-{os.getuid()}-{name}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise Misconfigured(f"{folder} belongs to someone else; shorten NEXTSTREAM_DATA_DIR.")
    return folder / "redis.sock"


def _secret_file(data: Path) -> Path:
    """Make the key that signs playback tickets at the first start; only its owner can read it."""
    path = data / "secret_key"
    with suppress(FileExistsError):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _taken(folder: Path) -> str:
    return f"NextStream already runs on {folder}; stop it, or choose another with NEXTSTREAM_DATA_DIR."
