"""The images are built, docker-compose.yml is run, and a video goes through it: by podman, as root."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import compose, golang, podman, servers, sources
from tests.compose import Stack
from tests.conftest import do_without
from tests.e2e import player

ROOT = Path(__file__).parents[2]
SERVICES = {
    name: service
    for name, service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].items()
    if "profiles" not in service
}
LONG_RUNNING = sorted(SERVICES.keys() - set(compose.ONE_SHOT))

# One test for each service also makes xdist begin with this group, which takes longest.
pytestmark = [pytest.mark.xdist_group("compose"), pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    try:
        podman.need()
    except servers.Missing as missing:
        do_without(missing)
    with compose.running(tmp_path_factory.mktemp("compose")) as running:
        yield running


@pytest.fixture(scope="module")
def video(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    sources.steady(clip, seconds=8, size="640x360")
    return stack.upload(clip)


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_service_runs_and_its_health_check_is_green(stack: Stack, service: str) -> None:
    container = stack.container(service)
    assert container["State"]["Running"]
    assert compose.is_healthy(container["Name"])


@pytest.mark.parametrize("service", compose.ONE_SHOT)
def test_what_prepares_the_others_has_ended_well(stack: Stack, service: str) -> None:
    state = stack.container(service)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_service_has_no_rights_and_nothing_to_write_but_what_it_needs(
    stack: Stack, service: str
) -> None:
    container = stack.container(service)
    status = podman.run("exec", container["Name"], "cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split()[0] != "0"
    assert int(facts["CapEff"], 16) == 0
    assert facts["NoNewPrivs"] == "1"
    assert container["HostConfig"]["ReadonlyRootfs"] == (service != "kafka")
    assert container["HostConfig"]["Memory"]


def test_a_video_that_is_uploaded_through_the_gateway_becomes_ready_and_can_be_fetched(
    stack: Stack, video: str
) -> None:
    assert stack.wait(video, "ended")["state"] == "ready"
    assert stack.fetch_all(video) == 4  # two rungs of two segments


def test_the_page_plays_it_in_a_browser(stack: Stack, video: str, chromium: None) -> None:
    stack.wait(video, "ended")
    with player.opened() as viewer:
        viewer.watch(f"{stack.url}/watch/{video}")
        assert viewer.seek(5.0) >= 0
        assert viewer.failed == []


def test_no_secret_stands_in_what_an_engine_tells_of_a_container(stack: Stack) -> None:
    gateway = stack.container("gateway")["Name"]
    files = ("/secrets/web/secret_key", "/secrets/platform/database_url")
    secrets = [podman.run("exec", gateway, "cat", file) for file in files]
    secrets[1] = secrets[1].split(":")[2].split("@")[0]
    told = str(stack.containers())
    assert [len(secret) for secret in secrets] == [64, 64]
    assert not [secret for secret in secrets if secret in told]


def test_a_video_is_done_though_one_of_three_workers_is_killed_in_the_middle(
    stack: Stack, tmp_path: Path
) -> None:
    stack.scale("worker", 3)
    stack.wait_healthy()
    clip = tmp_path / "long.mp4"
    sources.steady(clip, seconds=90, size="640x360")
    long = stack.upload(clip)
    podman.run("kill", "--signal=KILL", busy_worker(stack))
    ended = stack.wait(long, "ended")
    assert ended["state"] == "ready", ended
    assert len([c for c in stack.containers("worker") if c["State"]["Running"]]) >= 2


def busy_worker(stack: Stack, wait_s: float = 120) -> str:
    """Wait until a worker has a chunk in its scratch folder, and give the container's name."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        for worker in stack.containers("worker"):
            if podman.run("exec", worker["Name"], "find", "/scratch", "-name", "*.mp4"):
                return str(worker["Name"])
    raise AssertionError("no worker began")


def test_a_worker_that_is_stopped_ends_by_itself_within_its_time(stack: Stack) -> None:
    worker = next(c for c in stack.containers("worker") if c["State"]["Running"])
    begun = time.monotonic()
    podman.run("stop", "--time=30", worker["Name"])
    assert time.monotonic() - begun < 30
    state = podman.run("inspect", "--format={{.State.ExitCode}}", worker["Name"])
    assert state == "0"


def test_compose_itself_understands_the_file() -> None:
    """By the library that `docker compose config` is made of."""
    try:
        config = golang.program("github.com/compose-spec/compose-go/v2", "v2.16.2", "cmd")
    except servers.Missing as missing:
        do_without(missing)
    done = subprocess.run(
        [config, ROOT / "docker-compose.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"].keys() >= SERVICES.keys()
