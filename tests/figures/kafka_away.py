"""Kafka away while videos are uploaded and encoded, and back: what it has in the end, and how soon.

    python -m tests.figures.kafka_away [--away-s 600] [--videos 50] [--workers 4]

Apache Kafka is stopped, and started again with its files. Redis, PostgreSQL, the workers and beat are
real; a stand-in takes ffmpeg's time. The videos come evenly over the time that Kafka is away.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nextstream.domain import lifecycle
from nextstream.domain.video import State
from nextstream.services import feeding, lag
from tests import fleet, kafka, kafka_topic, losses, servers, workers
from tests.fleet import Fleet
from tests.workers import House

SOURCE_S = 60
SPEED = 5  # of the stand-in, in times of real time
LOOK_EVERY_S = 0.2
ENDS_WITHIN_S = 600.0


@dataclass
class Course:
    """A run: its times are by the monotonic clock."""

    house: House
    crew: Fleet
    video_ids: list[str]
    longest_s: float = 0.0
    waiting: int = 0
    back_s: float = 0.0
    drained_s: float = 0.0


def main() -> None:
    options = parse()
    with begun(options.workers) as course:
        suffer(course, options.videos, options.away_s)
        print(describe(course, options.away_s))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--away-s", type=float, default=600.0)
    parser.add_argument("--videos", type=int, default=50)
    parser.add_argument("--workers", type=int, default=4)
    return parser.parse_args()


@contextmanager
def begun(count: int) -> Iterator[Course]:
    """Start all servers and the fleet, and send one video through it while Kafka is there."""
    with tempfile.TemporaryDirectory(prefix="nextstream-kafka-") as folder, ExitStack() as stack:
        settings = {
            "DATABASE_URL": stack.enter_context(servers.postgres()),
            "KAFKA_SERVERS": stack.enter_context(kafka.real()),
            "FFMPEG": f"standin://?duration_s={SOURCE_S}&speed={SPEED}",
            "HEIGHTS": "720,360",
            "WORKER_SLOTS": "1",
            "LOG_FORMAT": "json",
        }
        redis_url = stack.enter_context(servers.redis(durable=True))
        house = workers.open_house(Path(folder), redis_url, **settings)
        stack.callback(house.platform.database.close)
        crew = stack.enter_context(fleet.running(house.env, Path(folder), count))
        course = Course(house, crew, [])
        put_in(course)
        wait(course, lambda: all_ended(course) and not lag.measure(house.platform).outbox.count)
        yield course


def suffer(course: Course, videos: int, away_s: float) -> None:
    """Stop Kafka, put videos in until it is back, and wait until all is told."""
    with servers.stopped(course.house.env["NEXTSTREAM_KAFKA_SERVERS"]):
        begun_at = time.monotonic()
        for number in range(videos):
            put_in(course)
            due = begun_at + away_s * (number + 1) / videos
            wait(course, lambda due=due: time.monotonic() >= due)  # type: ignore[misc]  # a float
        course.waiting = lag.measure(course.house.platform).outbox.count
    course.back_s = time.monotonic()  # it answers; that took a few seconds more
    wait(course, lambda: lag.measure(course.house.platform).outbox.oldest_s < 2)
    course.drained_s = time.monotonic() - course.back_s
    wait(course, lambda: all_ended(course))


def put_in(course: Course) -> None:
    video = course.house.put_in(Path(__file__))  # the stand-in doesn't look into it
    course.video_ids.append(video.id)
    feeding.feed(course.house.platform)


def wait(course: Course, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not done():
        course.crew.tend()
        course.longest_s = max(course.longest_s, lag.measure(course.house.platform).outbox.oldest_s)
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(LOOK_EVERY_S)


def all_ended(course: Course) -> bool:
    videos = [course.house.video(video_id) for video_id in course.video_ids]
    return all(video.state in lifecycle.ENDED for video in videos)


def describe(course: Course, away_s: float) -> str:
    """Give the table, after Kafka's topic was read back."""
    house = course.house
    videos = [house.video(video_id) for video_id in course.video_ids]
    ready = sum(video.state is State.READY for video in videos)
    told = losses.events_arrived(house, videos)
    times = [
        (video.state_times[State.READY] - video.state_times[State.UPLOADED]).total_seconds()
        for video in videos
        if video.state is State.READY
    ]
    rows = [
        ("videos ready", f"{ready} of {len(videos)}"),
        ("Kafka away, s", f"{away_s:.0f}"),
        ("events that waited when it came back", str(course.waiting)),
        ("oldest of them, s", f"{course.longest_s:.0f}"),
        ("seconds to drain, from its first answer on", f"{course.drained_s:.1f}"),
        (told.rule, f"{'yes' if told.holds else 'NO'}: {told.found}"),
        ("messages in the topic, by partition", spread(house)),
        ("upload to ready, median and longest, s", f"{middle(times):.1f}, {max(times):.1f}"),
    ]
    return "\n".join(["| what | found |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)])


def spread(house: House) -> str:
    """Count the messages of each partition; keys that are in two would be told."""
    servers_, topic = house.env["NEXTSTREAM_KAFKA_SERVERS"], house.platform.settings.kafka_topic
    places: dict[str, set[int]] = defaultdict(set)
    counts: dict[int, int] = defaultdict(int)
    for message in kafka_topic.read(servers_, topic):
        places[json.loads(message.value() or b"")["subject"]].add(message.partition())
        counts[message.partition()] += 1
    torn = [key for key, found in places.items() if len(found) > 1]
    return f"{', '.join(str(counts[n]) for n in sorted(counts))}{f'; torn: {torn}' if torn else ''}"


def middle(times: Sequence[float]) -> float:
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    main()
