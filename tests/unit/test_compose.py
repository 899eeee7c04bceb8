"""docker-compose.yml and the Dockerfiles agree with the code: no engine is needed to see that."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from nextstream import queue
from nextstream.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
SETTINGS = {PREFIX + field.name.upper() for field in fields(Settings)}
OURS = {
    "gateway",
    "auth",
    "upload",
    "streaming",
    "worker",
    "upkeep",
    "webhooks",
    "beat",
    "flower",
    "migrate",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def test_every_part_of_the_system_is_there(services: dict[str, Any]) -> None:
    assert services.keys() == OURS | {"redis", "postgres", "kafka", "s3"}


def test_every_setting_named_there_exists(services: dict[str, Any]) -> None:
    named = {name for service in services.values() for name in service.get("environment", {})}
    ours = {name for name in named if name.startswith(PREFIX)}
    assert ours
    assert ours <= SETTINGS


def test_the_settings_of_each_service_can_be_read(services: dict[str, Any]) -> None:
    for name in OURS:
        Settings.read({key: str(value) for key, value in services[name]["environment"].items()})


@pytest.mark.parametrize("path", ["deploy/web.Dockerfile", "deploy/worker.Dockerfile"])
def test_every_setting_named_in_a_dockerfile_exists(path: str) -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", (ROOT / path).read_text()))
    assert named
    assert named <= SETTINGS


@pytest.mark.parametrize("path", ["deploy/web.Dockerfile", "deploy/worker.Dockerfile"])
def test_everything_copied_into_an_image_exists_and_it_is_not_run_by_root(path: str) -> None:
    text = (ROOT / path).read_text()
    for source in re.findall(r"^COPY (\S+)", text, re.MULTILINE):
        assert (ROOT / source).exists()
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["nextstream"]


def test_what_a_service_waits_for_exists(services: dict[str, Any]) -> None:
    for service in services.values():
        assert set(service.get("depends_on", {})) <= services.keys()


def test_each_queue_has_a_worker_and_beat_runs_once(services: dict[str, Any]) -> None:
    commands = [service.get("command") or default_command() for service in services.values()]
    queues = {command[command.index("-Q") + 1] for command in commands if "-Q" in command}
    assert queues == {queue.MEDIA, queue.UPKEEP, queue.WEBHOOKS}
    assert sum("beat" in command for command in commands) == 1


def default_command() -> list[str]:
    """Give the worker image's command."""
    text = (ROOT / "deploy/worker.Dockerfile").read_text()
    return re.findall(r'"([^"]+)"', text.partition("CMD")[2])


def test_only_the_gateway_can_be_reached_from_outside(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["gateway"]


def test_docker_waits_longer_than_a_worker_needs_to_give_its_pieces_back(
    services: dict[str, Any],
) -> None:
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > Settings().stop_s + 10
