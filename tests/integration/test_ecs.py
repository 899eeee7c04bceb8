"""A real worker as a task of ECS: protected while it works, and interrupted by Spot."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextstream.domain.video import State
from tests import ecs_agent, sources, workers
from tests.ecs_agent import Agent
from tests.workers import House

# Takes its time over each chunk, and says how far it is.
SLOW_FFMPEG = """#!/bin/bash
case " $* " in *" -progress "*) while [ -e {held} ]; do sleep 0.1; done ;; esac
exec {ffmpeg} "$@"
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources.steady(tmp_path_factory.mktemp("source") / "steady.mp4", seconds=14)


@pytest.fixture
def agent() -> Iterator[Agent]:
    with ecs_agent.running() as agent:
        yield agent


@pytest.fixture
def house(tmp_path: Path, redis_url: str, agent: Agent) -> Iterator[House]:
    path = tmp_path / "ffmpeg"
    path.write_text(SLOW_FFMPEG.format(held=tmp_path / "held", ffmpeg=sources.tools().ffmpeg))
    path.chmod(0o700)
    house = workers.open_house(tmp_path, redis_url, FFMPEG=str(path), CHUNK_S="6")
    yield house
    house.platform.database.close()


def running(house: House, video_id: str) -> int:
    return sum(task.state == "running" for task in house.pieces(video_id))


def test_a_worker_is_protected_from_its_first_piece_to_its_last(
    house: House, source: Path, agent: Agent, tmp_path: Path
) -> None:
    (tmp_path / "held").touch()
    with house.worker(ECS_AGENT_URI=agent.uri) as process:
        assert not agent.asked  # it has no work
        video = house.put_in(source)
        house.tend()
        workers.wait_until(lambda: agent.protected, 30, process)
        workers.wait_until(lambda: bool(house.video(video.id).plan), 60, process)

        def is_encoding() -> bool:
            house.tend()
            return running(house, video.id) == 2

        workers.wait_until(is_encoding, 60, process)
        assert agent.protected
        (tmp_path / "held").unlink()
        assert house.wait_ended(video.id).state is State.READY
        workers.wait_until(lambda: not agent.protected, 30, process)
    changes = [wish["ProtectionEnabled"] for wish in agent.asked]
    assert changes == [True, False] * (len(changes) // 2)


def test_a_worker_whose_agent_is_away_works_all_the_same(
    house: House, source: Path, agent: Agent
) -> None:
    agent.is_down = True
    with house.worker(ECS_AGENT_URI=agent.uri):
        assert house.wait_ended(house.put_in(source).id).state is State.READY
    assert not agent.asked


def test_what_spot_takes_away_is_given_back_at_once_and_done_by_another(
    house: House, source: Path, agent: Agent, tmp_path: Path
) -> None:
    (tmp_path / "held").touch()
    with house.worker(ECS_AGENT_URI=agent.uri, NEXTSTREAM_STOP_S="105") as process:
        video = house.put_in(source)

        def is_encoding() -> bool:
            house.tend()
            return running(house, video.id) == 2 and house.video(video.id).state is State.ENCODING

        workers.wait_until(is_encoding, 60, process)
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)  # Spot's two minutes begin; stopTimeout is 120
        # These pieces don't get on, so waiting for them is of no use.
        workers.wait_until(lambda: running(house, video.id) == 0, 60)
        process.wait(60)
        assert time.monotonic() - began_s < 105
        (tmp_path / "held").unlink()
    with house.worker("-n", "another@%h"):
        ended = house.wait_ended(video.id)
    assert ended.state is State.READY
    assert not any(task.failed_by or task.losses for task in house.pieces(video.id))  # nobody's fault
