"""Seconds from a worker's SIGKILL to its chunk running elsewhere, and from SIGTERM to its exit.

    python -m tests.figures.recovery [--times N]

Two workers of one slot over Redis, PostgreSQL and local storage, with a stand-in for ffmpeg, so
that a chunk takes known seconds: 9 in the first rows, 4 where it can end in the time of grace.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nextstream.domain.plan import Kind
from nextstream.domain.video import State
from nextstream.ports import Task
from nextstream.services import feeding
from tests import fleet, servers, workers
from tests.fleet import Fleet, Member
from tests.workers import House

SOURCE_S = 6.0  # one chunk
LOOK_EVERY_S = 0.02


@dataclass
class Site:
    """A fleet that encodes videos of one chunk."""

    house: House
    crew: Fleet

    def begin(self) -> tuple[str, Member]:
        """Put a video in, and give the worker that has its chunk since a second."""
        video = self.house.put_in(Path(__file__))
        feeding.feed(self.house.platform)
        self.until(lambda: self.chunk(video.id).state == "running")
        time.sleep(1)
        return video.id, self.member(self.chunk(video.id))

    def chunk(self, video_id: str) -> Task:
        """Give the chunk's row; one that waits to be planned before there is one."""
        rows = self.house.pieces(video_id)
        return next((row for row in rows if row.piece.kind is Kind.VIDEO), rows[0])

    def member(self, task: Task) -> Member:
        name = str(task.worker).partition("@")[0]
        return next(member for member in self.crew.media if member.name == name)

    def until(self, done: Callable[[], bool], wait_s: float = 120) -> float:
        """Wait for something, and give the seconds it took."""
        begun = time.monotonic()
        while not done():
            assert time.monotonic() - begun < wait_s, "it didn't happen"
            time.sleep(LOOK_EVERY_S)
        return time.monotonic() - begun

    def settle(self, video_id: str) -> None:
        """Wait for the video, and for all workers to be there again."""

        self.until(lambda: self.house.video(video_id).state is State.READY)
        self.rest()

    def rest(self) -> None:
        """Wait for all three workers to be there."""

        def complete() -> bool:
            self.crew.tend()
            return len(self.house.platform.dispatcher.workers()) == 3

        self.until(complete)
        time.sleep(2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    print("| what | median, s | all, s |\n| --- | --- | --- |")
    with site(takes_s=9) as running:
        report("SIGKILL of a worker to its chunk running elsewhere", times, running, killed)
        report("SIGTERM of an idle worker to its exit", times, running, idle)
        given = [given_back(running) for _ in range(times)]
        show("SIGTERM, chunk can't end in the time of grace: to exit", [exit_s for exit_s, _ in given])
        show("the same: to the chunk running elsewhere", [elsewhere_s for _, elsewhere_s in given])
    with site(takes_s=4) as running:
        report("SIGTERM, chunk ends 3 s later: to exit", times, running, finished)


@contextmanager
def site(takes_s: float) -> Iterator[Site]:
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        settings = {
            "DATABASE_URL": stack.enter_context(servers.postgres()),
            "FFMPEG": f"standin://?duration_s={SOURCE_S}&speed={SOURCE_S / takes_s}&sound_speed=1000",
            "HEIGHTS": "360",
            "WORKER_SLOTS": "1",
            "STOP_S": "6",
        }
        house = workers.open_house(folder, stack.enter_context(servers.redis()), **settings)
        stack.callback(house.platform.database.close)
        crew = stack.enter_context(fleet.running(house.env, folder, workers=2))
        running = Site(house, crew)
        running.rest()
        yield running


def report(what: str, times: int, running: Site, measure: Callable[[Site], float]) -> None:
    show(what, [measure(running) for _ in range(times)])


def show(what: str, took_s: Sequence[float]) -> None:
    each = ", ".join(f"{one:.1f}" for one in took_s)
    print(f"| {what} | {statistics.median(took_s):.1f} | {each} |", flush=True)


def killed(running: Site) -> float:
    video_id, member = running.begin()
    running.crew.kill(member, "all")
    took_s = running.until(lambda: runs_elsewhere(running, video_id, member))
    running.settle(video_id)
    return took_s


def runs_elsewhere(running: Site, video_id: str, than: Member) -> bool:
    chunk = running.chunk(video_id)
    return chunk.state == "running" and running.member(chunk) is not than


def idle(running: Site) -> float:
    took_s = stop(running.crew.media[0])
    running.rest()
    return took_s


def given_back(running: Site) -> tuple[float, float]:
    video_id, member = running.begin()
    assert member.process
    member.process.terminate()
    begun, process = time.monotonic(), member.process
    happened: dict[str, float] = {}

    def look() -> bool:
        if process.poll() is not None:
            happened.setdefault("exit", time.monotonic() - begun)
        if runs_elsewhere(running, video_id, member):
            happened.setdefault("elsewhere", time.monotonic() - begun)
        return len(happened) == 2

    running.until(look)
    running.settle(video_id)
    return happened["exit"], happened["elsewhere"]


def finished(running: Site) -> float:
    video_id, member = running.begin()
    took_s = stop(member)
    assert running.chunk(video_id).attempt == 1, "the chunk was done twice"
    running.settle(video_id)
    return took_s


def stop(member: Member) -> float:
    """Stop a worker by SIGTERM, and give the seconds until it has ended."""
    assert member.process
    begun = time.monotonic()
    member.process.terminate()
    member.process.wait(120)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
