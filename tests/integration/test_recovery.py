"""What is lost costs seconds: a killed worker, a wiped queue; and what a user cancels ends at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from nextstream.domain.accounts import Account, Role
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State
from nextstream.services import encodes
from tests import sources, workers
from tests.workers import House

OPERATOR = Account("op", "op", "", Role.OPERATOR, datetime(2030, 1, 1, tzinfo=UTC))

# An ffmpeg that hardly gets on, and says so, until a file is gone.
CRAWL = """#!/bin/bash
case " $* " in *" -progress "*)
  while [ -e {flag} ]; do echo frame=1; echo out_time_us=1; sleep 0.1; done ;;
esac
exec {ffmpeg} "$@"
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources.steady(tmp_path_factory.mktemp("source") / "steady.mp4", seconds=14)


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """Give the file that makes encodes crawl."""
    path = tmp_path / "crawl"
    path.touch()
    return path


@pytest.fixture
def house(tmp_path: Path, redis_url: str, flag: Path) -> Iterator[House]:
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text(CRAWL.format(flag=flag, ffmpeg=sources.tools().ffmpeg))
    ffmpeg.chmod(0o700)
    house = workers.open_house(tmp_path, redis_url, FFMPEG=str(ffmpeg), CHUNK_S="6", LEASE_S="4")
    yield house
    house.platform.database.close()


def running(house: House, video_id: str) -> set[str]:
    return {task.piece.name for task in house.pieces(video_id) if task.state == "running"} - {PROBE.name}


def begin(house: House, source: Path, count: int = 1) -> str:
    """Let an encode begin, and wait until some of its pieces run."""
    video_id = house.put_in(source).id

    def begun() -> bool:
        house.tend()
        return len(running(house, video_id)) >= count

    workers.wait_until(begun, 60)
    return video_id


def test_a_cancel_stops_all_encoders_within_two_seconds_and_leaves_nothing(
    house: House, source: Path
) -> None:
    with house.worker("-c", "2") as process:
        video_id = begin(house, source, count=2)
        workers.wait_until(lambda: len(workers.descendants(process.pid, "-progress")) >= 2, 30)
        encodes.cancel(house.platform, OPERATOR, video_id)
        at = time.monotonic()
        workers.wait_until(lambda: not workers.descendants(process.pid, "-progress"), 30)
        took_s = time.monotonic() - at
        workers.wait_until(lambda: not house.broker.hlen("unacked"), 30)
    assert took_s < 2.0 + 1.0  # a loaded machine's second
    stored = [one.key for one in house.platform.storage.list(f"videos/{video_id}/")]
    assert stored == [f"videos/{video_id}/source"]
    assert house.video(video_id).state is State.CANCELLED


def test_a_killed_worker_leaves_no_encoder_and_another_takes_over_when_its_lease_ends(
    house: House, source: Path, flag: Path
) -> None:
    with house.worker("-c", "2") as process:
        video_id = begin(house, source, count=2)
        workers.wait_until(lambda: len(workers.descendants(process.pid, "-progress")) >= 2, 30)
        family = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(family, timeout=20)
        assert not alive
    flag.unlink()
    with house.worker("-c", "2"):
        assert house.wait_ended(video_id, 120).state is State.READY
    losses = sorted(task.losses for task in house.pieces(video_id))
    assert losses[-3:] == [0, 1, 1]
    assert not list(Path(house.env["NEXTSTREAM_SCRATCH_DIR"]).glob("nextstream-scratch-*"))


def test_a_queue_that_is_wiped_in_the_middle_costs_seconds(
    house: House, source: Path, flag: Path
) -> None:
    with house.worker("-c", "1"):
        video_id = begin(house, source)
        house.broker.flushdb()
        flag.unlink()
        assert house.wait_ended(video_id, 120).state is State.READY
    assert {task.attempt for task in house.pieces(video_id)} == {1}
