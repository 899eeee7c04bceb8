"""The chain on real workers (prefork) and a real Redis, and the events that tell of it."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from celery import Celery

from nextstream import queue
from nextstream.domain import plan
from nextstream.domain.video import State
from nextstream.ports import Worker
from tests import sources, workers
from tests.workers import House

PROBE = "media.probe"

# An ffmpeg that does something odd before, or in place of, an encode; looks at its abilities work.
ODD_FFMPEG = """#!/bin/bash
case " $* " in *" -progress "*) {oddity} ;; esac
exec {ffmpeg} "$@"
"""


# One that hardly gets on, and says so.
CRAWL = "for n in {1..300}; do echo frame=1; echo out_time_us=1; sleep 0.2; done; exit 1"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources.steady(tmp_path_factory.mktemp("source") / "steady.mp4", seconds=14)


@pytest.fixture
def house(tmp_path: Path, redis_url: str) -> Iterator[House]:
    house = workers.open_house(tmp_path, redis_url, FFMPEG=str(tmp_path / "ffmpeg"), CHUNK_S="6")
    disturb(house, ":")
    yield house
    house.platform.database.close()


def disturb(house: House, oddity: str) -> None:
    """Make encodes odd, by a line of shell; `$once` is true the first time only."""
    path = Path(house.env["NEXTSTREAM_FFMPEG"])
    path.write_text(ODD_FFMPEG.format(oddity=oddity, ffmpeg=sources.tools().ffmpeg))
    path.chmod(0o700)


def sender(house: House) -> Celery:
    """Give an app that can send any task, as the dispatcher's does."""
    url = house.env["NEXTSTREAM_REDIS_URL"]
    app = Celery(broker=url, backend=url, set_as_current=False)
    app.conf.broker_transport_options = queue.transport(5)
    return app


def tally(house: House, video_id: str) -> Counter[tuple[str, str]]:
    """Count the task events of a video by type and task."""
    return Counter((e.type, e.data["task"]) for e in house.events(video_id, "task."))


def test_a_source_becomes_a_ready_video_and_each_task_tells_of_itself_once(
    house: House, source: Path
) -> None:
    video = house.put_in(source, "req-7")
    with house.worker():
        house.tend()
        ended = house.wait_ended(video.id)
        house.wait_event("worker.online")
        workers.wait_until(lambda: tally(house, video.id)["task.succeeded", "media.publish"] == 1, 5)
    assert ended.state is State.READY
    chunks = len([piece for piece in ended.plan.pieces if piece.kind == "video"])
    assert chunks > 1
    expected = {"media.probe": 1, "media.encode": chunks, "media.audio": 1, "media.publish": 1}
    for type_ in ("task.started", "task.succeeded"):
        assert {n: tally(house, video.id)[type_, n] for n in expected} == expected
    assert tally(house, video.id).total() == 2 * sum(expected.values())
    assert {event.request_id for event in house.events(video.id)} == {"req-7"}


def test_a_worker_is_known_with_its_slots_as_long_as_it_takes_work(house: House, source: Path) -> None:
    disturb(house, CRAWL)
    house.put_in(source)
    with house.worker("-c", "1", NEXTSTREAM_STOP_S="30") as process:
        workers.wait_until(lambda: [w.slots for w in fleet_of(house)] == [1], 30, process)
        (before,) = fleet_of(house)
        workers.wait_until(lambda: fleet_of(house)[0].seen_at > before.seen_at, 30, process)
        assert not before.draining
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert fleet_of(house) == []


def fleet_of(house: House) -> Sequence[Worker]:
    with house.platform.database.transaction() as tx:
        return tx.workers.list()


def test_a_file_that_is_no_video_fails_without_a_second_try(house: House, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("This is no video.")
    video = house.put_in(tmp_path / "text.mp4")
    with house.worker():
        house.tend()
        ended = house.wait_ended(video.id)
        house.wait_event("task.succeeded", video.id)  # a worker that stops before may give it back
    assert (ended.state, ended.failure.code) == (State.FAILED, "source_not_video")
    assert tally(house, video.id) == {
        ("task.started", "media.probe"): 1,
        ("task.succeeded", "media.probe"): 1,
    }


def test_a_piece_that_failed_is_tried_again_and_the_video_gets_ready(
    house: House, source: Path, tmp_path: Path
) -> None:
    disturb(house, f"mkdir {tmp_path}/failed 2>/dev/null && exit 1")
    video = house.put_in(source)
    with house.worker():
        house.tend()
        assert house.wait_ended(video.id).state is State.READY
        # Asked before the worker stops, which may give the task back that it is just ending.
        retried = [event for event in house.events(video.id) if event.type == "task.retried"]
    assert len(retried) == 1
    assert "encoder" in retried[0].data["reason"].lower()
    again = [e for e in house.events(video.id, "task.started") if e.data["attempt"] == 2]
    assert [e.data["piece"] for e in again] == [retried[0].data["piece"]]


def test_a_worker_that_is_stopped_gives_back_at_once_what_would_not_end_in_time(
    house: House, source: Path
) -> None:
    disturb(house, CRAWL)
    video = house.put_in(source)
    with house.worker("-c", "1", NEXTSTREAM_STOP_S="30") as process:
        house.tend()
        given_back = house.wait_event("task.started", video.id, lambda e: e.data["task"] != PROBE)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    workers_own = [event.type for event in house.events(prefix="worker.")]
    assert workers_own == ["worker.online", "worker.draining", "worker.offline"]
    retried = house.wait_event("task.retried", video.id)
    assert retried.data["task_id"] == given_back.data["task_id"]
    assert house.wait_event("worker.draining").time < retried.time
    work = [task for task in house.pieces(video.id) if task.piece not in (plan.PROBE, plan.PUBLISH)]
    assert {(task.state, task.attempt, task.failed_by) for task in work} == {("sent", 0, ())}
    assert waiting(house) == len(work)


def test_a_worker_that_is_stopped_ends_what_ends_in_time_and_takes_no_more(
    house: House, source: Path, tmp_path: Path
) -> None:
    disturb(house, f"echo frame=71; echo out_time_us=999999999; touch {tmp_path}/begun; sleep 3;")
    video = house.put_in(source)
    with house.worker("-c", "1", NEXTSTREAM_STOP_S="60") as process:
        house.tend()
        workers.wait_until((tmp_path / "begun").exists, 30, process)
        process.send_signal(signal.SIGTERM)
        process.wait(40)
    done = [event.data["piece"] for event in house.events(video.id) if event.type == "piece.encoded"]
    assert len(done) == 1
    assert not house.events(video.id, "task.retried")
    assert {task.attempt for task in house.pieces(video.id)} == {0, 1}


def test_another_worker_ends_what_a_stopped_one_began(house: House, source: Path) -> None:
    disturb(house, CRAWL)
    video = house.put_in(source)
    with house.worker("-c", "2") as process:
        house.tend()
        house.wait_event("task.started", video.id, lambda e: e.data["task"] != PROBE)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    disturb(house, ":")
    with house.worker("-c", "2"):
        assert house.wait_ended(video.id).state is State.READY
    assert {task.attempt for task in house.pieces(video.id)} == {1}


def test_a_killed_process_costs_its_piece_some_seconds_and_not_the_video(
    house: House, source: Path, tmp_path: Path
) -> None:
    disturb(house, f"mkdir {tmp_path}/begun 2>/dev/null && exec sleep 60")
    video = house.put_in(source)
    with house.worker("-c", "2", NEXTSTREAM_LEASE_S="3") as process:
        house.tend()
        workers.wait_until((tmp_path / "begun").exists, 20, process)
        (hanging,) = workers.descendants(process.pid, "sleep")
        hanging.parent().kill()
        assert house.wait_ended(video.id).state is State.READY
    attempts = [task.attempt for task in house.pieces(video.id)]
    assert sorted(attempts)[-2:] == [1, 2]
    assert not hanging.is_running()


def waiting(house: House) -> int:
    lists = [key for key in house.broker.keys("media*") if house.broker.type(key) == b"list"]
    return sum(house.broker.llen(key) for key in lists)


def test_a_task_that_is_revoked_before_it_starts_is_told_of_once(house: House, source: Path) -> None:
    video = house.put_in(source)
    app = sender(house)
    with house.worker("-c", "1"):
        task_id = "to-be-revoked"
        app.control.revoke(task_id)
        app.send_task(PROBE, (video.id, 1), queue="media", priority=2, task_id=task_id)
        event = house.wait_event("task.revoked", video.id)
    assert event.data["task_id"] == task_id
    assert tally(house, video.id) == {("task.revoked", "media.probe"): 1}


def test_a_task_over_its_time_limit_is_told_of_as_failed_once(
    house: House, source: Path, tmp_path: Path
) -> None:
    slow = tmp_path / "ffprobe"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    video = house.put_in(source)
    with house.worker("-c", "1", NEXTSTREAM_FFPROBE=str(slow)):
        limits = {"queue": "media", "priority": 2, "time_limit": 1}
        sender(house).send_task(PROBE, (video.id, 1), headers={"request_id": "req-9"}, **limits)
        event = house.wait_event("task.failed", video.id)
    assert event.data["error"] == "TimeLimitExceeded"
    assert event.request_id == "req-9"
    assert tally(house, video.id) == {("task.started", PROBE): 1, ("task.failed", PROBE): 1}


def test_tasks_of_a_smaller_priority_number_come_first(house: House) -> None:
    app = sender(house)
    order = ["media.publish", "media.probe", "media.audio", "media.encode"]
    priorities = dict(zip(order, (0, 2, 4, 6), strict=True))
    for name in reversed(order):
        args = ("nobody", 1, *(["c1"] if name in ("media.encode", "media.audio") else []))
        app.send_task(name, args, queue="media", priority=priorities[name])
    with house.worker("-c", "1"):
        workers.wait_until(lambda: len(house.events("nobody", "task.succeeded")) == 4, 30)
    assert [e.data["task"] for e in house.events("nobody", "task.started")] == order


def test_the_relay_marks_events_as_sent_and_makes_none_of_its_own(house: House) -> None:
    with house.worker("--pool", "solo", name="upkeep"):
        before = len(house.events())
        sender(house).send_task("upkeep.relay", queue="upkeep")
        workers.wait_until(lambda: unsent(house) == 0, 10)
        assert len(house.events()) == before


def unsent(house: House) -> int:
    with house.platform.database.transaction() as tx:
        return len(tx.outbox.unsent(100))
