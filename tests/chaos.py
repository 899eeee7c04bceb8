"""A fleet at work while its workers are killed and its servers stop, and what has to be right after."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nextstream.domain import lifecycle
from nextstream.domain.video import Video
from nextstream.services import feeding
from tests import faults, fleet, kafka, losses, servers, sources, workers
from tests.faults import Faults, Proxy
from tests.fleet import Fleet
from tests.losses import Finding
from tests.workers import House

LOOK_EVERY_S = 0.1
KILLS = ("all", "all", "main", "child")  # a lost machine, and what the kernel kills for its memory
CALM, DISTURBED = Faults(), Faults(refused=0.15, cut=0.05, delay_s=0.1)


@dataclass(frozen=True)
class Course:
    """A run: its videos come evenly, its faults at random, both within `lasts_s`.

    The shares of `s3` are in force half of the time. Outages of 0 s don't happen.
    """

    seed: int
    videos: int = 20
    workers: int = 4
    lasts_s: float = 200.0
    source_s: float = 36.0
    kill_every_s: float = 5.0
    s3: Faults = DISTURBED
    redis_s: float = 3.0
    postgres_s: float = 10.0
    kafka_s: float = 60.0
    real_kafka: bool = False
    ends_within_s: float = 240.0


@dataclass(frozen=True)
class Blow:
    """Something that happens to the fleet at a time of the course, and for how long."""

    at_s: float
    what: str
    lasts_s: float = 0.0


@dataclass
class Run:
    """A course under way, and what has happened so far."""

    course: Course
    house: House
    fleet: Fleet
    proxy: Proxy
    stored: Path
    addresses: dict[str, str]
    dice: random.Random
    video_ids: list[str] = field(default_factory=list)
    videos: Sequence[Video] = ()
    suffered: Counter[str] = field(default_factory=Counter)
    killed_slots: int = 0
    took_s: float = 0.0
    findings: Sequence[Finding] = ()


def script(course: Course, dice: random.Random) -> list[Blow]:
    """Draw what happens when."""
    blows = []
    at_s = course.kill_every_s
    while at_s < course.lasts_s:
        blows.append(Blow(at_s, "kill"))
        at_s += dice.uniform(0.5, 1.5) * course.kill_every_s
    places = {
        "s3": (0.05, course.lasts_s / 4),
        "redis": (0.15, course.redis_s),
        "postgres": (0.3, course.postgres_s),
        "wipe": (0.45, course.redis_s),
        "kafka": (0.55, course.kafka_s),
        "s3 again": (0.65, course.lasts_s / 4),
    }
    for what, (share, lasts_s) in places.items():
        if lasts_s:
            at_s = (share + dice.uniform(0, 0.1)) * course.lasts_s
            blows.append(Blow(at_s, what.removesuffix(" again"), lasts_s))
    return sorted(blows, key=lambda blow: blow.at_s)


def run(course: Course, folder: Path, log: Callable[[str], None] = lambda _: None) -> Run:
    """Run a course in a folder, and give what happened and what was found after it."""
    dice = random.Random(course.seed)
    source = sources.steady(folder / "source.mp4", seconds=course.source_s, size="640x360")
    with begun(course, folder, dice) as run, ExitStack() as outages:
        begun_at = time.monotonic()
        suffer(run, source, script(course, dice), outages, log)
        run.took_s = time.monotonic() - begun_at
        run.findings = find(run, source)
        return run


def find(run: Run, source: Path) -> list[Finding]:
    """Check everything, and stop the fleet on the way."""
    house = run.house
    run.videos = videos = [house.video(video_id) for video_id in run.video_ids]
    findings = [
        losses.ended_ready(videos),
        losses.frames_are_there(run.stored, videos),
        losses.bytes_are_right(house, run.stored, videos, source),
        losses.events_arrived(house, videos),
        losses.redone(house, videos, run.killed_slots),
        losses.no_orphans(run.stored, videos),
        losses.no_scratch(house),
    ]
    run.fleet.stop()
    return [*findings, losses.no_process(house)]


@contextmanager
def begun(course: Course, folder: Path, dice: random.Random) -> Iterator[Run]:
    """Start every server and the fleet."""
    home = folder / "fleet"
    for name in ("scratch", "tmp"):
        (home / name).mkdir(parents=True)
    with ExitStack() as stack:
        addresses = {
            "redis": stack.enter_context(servers.redis(durable=True)),
            "postgres": stack.enter_context(servers.postgres()),
            "kafka": stack.enter_context(kafka.real() if course.real_kafka else kafka.mock()),
        }
        s3_url = stack.enter_context(servers.rclone_s3(folder / "s3"))
        proxy = stack.enter_context(faults.proxied(s3_url, course.seed))
        settings = {
            "DATABASE_URL": addresses["postgres"],
            "STORAGE_URL": s3_url,
            "KAFKA_SERVERS": addresses["kafka"],
            "SCRATCH_DIR": str(home / "scratch"),
            "HEIGHTS": "360,180",
            "PRESET": "veryfast",
            "CHUNK_S": "6",
            "WORKER_SLOTS": "1",
            "ENCODER_THREADS": "1",
            "LOG_FORMAT": "json",
        }
        house = workers.open_house(home, addresses["redis"], **settings)
        stack.callback(house.platform.database.close)
        env = {**house.env, "NEXTSTREAM_STORAGE_URL": proxy.url, "TMPDIR": str(home / "tmp")}
        crew = stack.enter_context(fleet.running(env, home, course.workers))
        stored = folder.resolve() / "s3" / "media" / "tests"
        yield Run(course, house, crew, proxy, stored, addresses, dice)


def suffer(
    run: Run, source: Path, blows: list[Blow], outages: ExitStack, log: Callable[[str], None]
) -> None:
    """Feed videos and let the blows fall, until all is over and every video has ended."""
    begun_at = time.monotonic()
    pending: dict[str, tuple[float, ExitStack]] = {}
    while True:
        now_s = time.monotonic() - begun_at
        run.fleet.tend()
        for what in [what for what, (until_s, _) in pending.items() if until_s <= now_s]:
            pending.pop(what)[1].close()
            log(f"{now_s:6.1f} s  {what} is back")
        while blows and blows[0].at_s <= now_s and blows[0].what not in pending:
            blow = blows.pop(0)
            log(f"{now_s:6.1f} s  {strike(run, blow, pending, now_s, outages)}")
        if "postgres" not in pending:
            feed(run, source, now_s)
            if not blows and not pending and all_ended(run):
                return
        if now_s > run.course.lasts_s + run.course.ends_within_s:
            return
        time.sleep(LOOK_EVERY_S)


def feed(run: Run, source: Path, now_s: float) -> None:
    """Put the next video in when its time has come, as an upload does."""
    due = int(now_s / (0.8 * run.course.lasts_s) * run.course.videos) + 1
    if len(run.video_ids) < min(due, run.course.videos):
        video = run.house.put_in(source)
        run.video_ids.append(video.id)
        feeding.feed(run.house.platform)


def all_ended(run: Run) -> bool:
    return len(run.video_ids) == run.course.videos and all(
        run.house.video(video_id).state in lifecycle.ENDED for video_id in run.video_ids
    )


def strike(
    run: Run, blow: Blow, pending: dict[str, tuple[float, ExitStack]], now_s: float, outages: ExitStack
) -> str:
    """Let a blow fall; gives what it was."""
    if blow.what == "kill":
        return kill(run)
    run.suffered[blow.what] += 1
    outage = outages.enter_context(ExitStack())
    outage.enter_context(outage_of(run, blow.what))
    pending[blow.what] = (now_s + blow.lasts_s, outage)
    return f"{blow.what} for {blow.lasts_s:.0f} s"


def outage_of(run: Run, what: str) -> AbstractContextManager[None]:
    if what == "s3":
        return disturbed(run)
    if what == "kafka" and not run.course.real_kafka:  # the mock keeps what it has in memory alone
        return servers.frozen(run.addresses["kafka"])
    if what == "wipe":
        run.house.broker.flushall()
        return servers.stopped(run.addresses["redis"])
    return servers.stopped(run.addresses[what])


@contextmanager
def disturbed(run: Run) -> Iterator[None]:
    run.proxy.faults = run.course.s3
    yield
    run.proxy.faults = CALM


def kill(run: Run) -> str:
    """Kill a worker, mostly one of media, in one of several ways."""
    media = run.dice.random() < 0.85
    candidates = run.fleet.media if media else [m for m in run.fleet.members if not m.slots]
    member, how = run.dice.choice(candidates), run.dice.choice(KILLS)
    if not run.fleet.kill(member, how if media else "all"):
        return f"{member.name} is dead already"
    run.suffered["kill"] += 1
    run.killed_slots += member.slots
    return f"kill {how} of {member.name}"
