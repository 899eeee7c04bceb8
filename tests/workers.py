"""Real Celery workers in processes of their own, over a data folder and a Redis of a test's own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil
import redis

from nextstream import queue, wiring
from nextstream.domain import lifecycle, paths
from nextstream.domain.events import Event
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State, Video
from nextstream.ports import Platform, Task
from nextstream.services import reconciling
from nextstream.settings import Settings
from tests import servers

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class House:
    """One installation, without a web server: its settings as its processes get them."""

    env: Mapping[str, str]

    @cached_property
    def platform(self) -> Platform:
        settings = Settings.read(self.env)
        wiring.migrate(settings)
        return wiring.build(settings)

    @cached_property
    def broker(self) -> redis.Redis:
        return redis.Redis.from_url(queue.client_url(self.env["NEXTSTREAM_REDIS_URL"]))

    def put_in(self, source: Path, request_id: str | None = None) -> Video:
        """Store a source as a finished upload does."""
        video_id, now = paths.new_id(), self.platform.clock.now()
        stored = self.platform.storage.put(paths.source(video_id), source.read_bytes(), "video/mp4")
        video = Video(video_id, "owner", "Title", source.name, now, request_id=request_id)
        with self.platform.database.transaction() as tx:
            tx.videos.add(video)
            video = tx.videos.save(lifecycle.move(video, State.UPLOADING, now))
            sized = {"size_bytes": stored.size_bytes}
            video = tx.videos.save(lifecycle.move(video, State.UPLOADED, now, **sized))
            tx.pieces.add(video_id, 1, [PROBE])
        return video

    def video(self, video_id: str) -> Video:
        with self.platform.database.transaction() as tx:
            return tx.videos.get(video_id)

    def pieces(self, video_id: str) -> Sequence[Task]:
        with self.platform.database.transaction() as tx:
            return tx.pieces.list(video_id, 1)

    def events(self, key: str | None = None, prefix: str = "") -> list[Event]:
        with self.platform.database.transaction() as tx:
            entries = tx.outbox.page(0, 1000, key)
        return [entry.event for entry in entries if entry.event.type.startswith(prefix)]

    def tend(self) -> None:
        """Look for lost and waiting work once, as beat has it done each second."""
        reconciling.reconcile(self.platform)

    def wait_ended(self, video_id: str, wait_s: float = 60) -> Video:
        """Tend the work until a video has ended."""

        def has_ended() -> bool:
            self.tend()
            return self.video(video_id).state in lifecycle.ENDED

        wait_until(has_ended, wait_s)
        return self.video(video_id)

    def wait_event(
        self, type_: str, key: str | None = None, fits: Callable[[Event], bool] = lambda _: True
    ) -> Event:
        def found() -> list[Event]:
            return [event for event in self.events(key) if event.type == type_ and fits(event)]

        wait_until(lambda: bool(found()), 30)
        return found()[0]

    @contextmanager
    def worker(
        self, *options: str, name: str = "media", **env: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker until the block ends; it is ready when the block begins."""
        log = (Path(self.env["NEXTSTREAM_DATA_DIR"]) / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-n", f"{name}@%h"]
        options = ("-Q", name, *options, "--without-gossip", "--without-mingle")
        everything = {**self.env, "PYTHONPATH": str(ROOT), **env}
        online = self.count("worker.online")
        process = servers.start([*command, *options], log.fileno(), env=everything)
        try:
            wait_until(lambda: self.count("worker.online") > online, 60, process)
            yield process
        finally:
            servers.end(process)
            log.close()

    def count(self, type_: str) -> int:
        return sum(event.type == type_ for event in self.events())


def open_house(folder: Path, redis_url: str, **env: str) -> House:
    """Give an installation in a folder, whose queue is empty."""
    settings = {
        "DATA_DIR": str(folder),
        "REDIS_URL": redis_url,
        "HEIGHTS": "180",
        "PRESET": "ultrafast",
        "WORKER_SLOTS": "2",
        "STOP_S": "1",
        "SCRATCH_DIR": str(folder),
        **env,
    }
    house = House({f"NEXTSTREAM_{name}": value for name, value in settings.items()})
    house.broker.flushdb()
    return house


def wait_until(
    done: Callable[[], bool], wait_s: float, process: subprocess.Popen[bytes] | None = None
) -> None:
    deadline = time.monotonic() + wait_s
    while not done():
        assert time.monotonic() < deadline, "it didn't happen in time"
        assert process is None or process.poll() is None, "the worker ended"
        time.sleep(0.05)


def descendants(pid: int, word: str) -> list[psutil.Process]:
    """Give the processes below one that have a word on their command line; some may end meanwhile."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            if word in process.cmdline():
                found.append(process)
    return found
