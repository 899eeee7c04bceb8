"""docker-compose.yml and the Dockerfiles agree with the code and with each other: no engine needed."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from nextstream import queue
from nextstream.settings import PREFIX, Settings
from tests import podman

ROOT = Path(__file__).parents[2]
SETTINGS = {PREFIX + field.name.upper() for field in fields(Settings)}
DOCKERFILES = ["deploy/web.Dockerfile", "deploy/worker.Dockerfile"]
WEB = {"gateway", "auth", "upload", "streaming"}
WORKERS = {"worker", "upkeep", "webhooks", "imports"}
OURS = WEB | WORKERS | {"beat", "flower", "migrate", "prepare"}
SERVERS = {"redis", "postgres", "kafka", "s3"}
GRACEFUL_TIMEOUT_S = 20


@pytest.fixture(scope="module")
def composition() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(composition: dict[str, Any]) -> dict[str, Any]:
    return composition["services"]


def test_every_part_of_the_system_is_there(services: dict[str, Any]) -> None:
    started = {name for name, service in services.items() if "profiles" not in service}
    assert started == OURS | SERVERS


def test_every_setting_named_there_exists(services: dict[str, Any]) -> None:
    ours = {name for name in named(services) if name.startswith(PREFIX)}
    assert ours
    assert {name.removesuffix("_FILE") if name not in SETTINGS else name for name in ours} <= SETTINGS


def named(services: dict[str, Any]) -> set[str]:
    return {name for service in services.values() for name in service.get("environment", {})}


@pytest.mark.parametrize("name", sorted(OURS - {"prepare"}))
def test_the_settings_of_each_service_can_be_read(
    services: dict[str, Any], name: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0" * 64)
    env = services[name]["environment"]
    Settings.read({key: str(secret if key.endswith("_FILE") else value) for key, value in env.items()})


def test_no_service_has_a_secret_in_its_environment(services: dict[str, Any]) -> None:
    """`prepare` has what an operator gives, which is nothing by default."""
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search("KEY|PASSWORD|SECRET", name) and not name.endswith(("_FILE", "KEY_ID")):
                assert value == f"${{{name}:-}}"


def test_only_the_web_has_the_key_of_tickets_and_only_auth_those_of_tokens(
    services: dict[str, Any],
) -> None:
    def mounting(volume: str) -> set[str]:
        return {
            name
            for name, service in services.items()
            if any(str(each).startswith(f"{volume}:") for each in service.get("volumes", []))
        } - {"prepare"}

    assert mounting("web-secrets") == WEB
    assert mounting("auth") == {"auth"}
    assert mounting("postgres-secrets") == {"postgres"}
    assert mounting("s3-secrets") == {"s3"}


def test_every_container_gives_up_its_rights_and_bounds_what_it_uses(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] or name == "kafka", name
        assert service["pids_limit"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert "mem_limit" in service or name == "prepare", name
        assert "healthcheck" in service, name


def test_workers_reach_neither_the_world_nor_the_gateway(
    composition: dict[str, Any], services: dict[str, Any]
) -> None:
    assert services["worker"]["networks"] == ["data"]
    assert composition["networks"]["data"]["internal"]
    outside = {name for name, service in services.items() if "outside" in service.get("networks", [])}
    assert outside >= {"gateway", "webhooks", "imports"}
    assert not outside & SERVERS


def test_every_image_is_pinned_and_has_a_stand_in(services: dict[str, Any]) -> None:
    theirs = {name: services[name]["image"] for name in SERVERS}
    assert theirs == {name: podman.STANDINS[name] for name in SERVERS}
    for service in services.values():
        assert service["image"] in podman.OURS or re.search(
            r":v?\d+\.\d+\.\d+|:15\.\d+", service["image"]
        )
    for path in DOCKERFILES:
        assert set(re.findall(r"^FROM (\S+)", (ROOT / path).read_text(), re.M)) == {
            podman.STANDINS["python"]
        }


def test_our_images_are_built_and_never_pulled(services: dict[str, Any]) -> None:
    built = {service["image"] for service in services.values() if "build" in service}
    assert built == set(podman.OURS)
    for name in OURS:
        assert services[name]["pull_policy"] == ("build" if "build" in services[name] else "never")


@pytest.mark.parametrize("path", DOCKERFILES)
def test_every_setting_named_in_a_dockerfile_exists(path: str) -> None:
    names = set(re.findall(rf"{PREFIX}[A-Z_]+", (ROOT / path).read_text()))
    assert names
    assert names <= SETTINGS


@pytest.mark.parametrize("path", DOCKERFILES)
def test_everything_copied_into_an_image_exists_and_it_is_not_run_by_root(path: str) -> None:
    text = (ROOT / path).read_text()
    copied = re.findall(r"^COPY (?!--from)(\S+)", text, re.M)
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}\n" in (ROOT / ".dockerignore").read_text()
    assert re.findall(r"^USER (\S+)", text, re.M) == ["10001"]


def test_both_images_begin_with_the_same_layers() -> None:
    """So a build has them once."""

    def beginning(path: str) -> str:
        return (ROOT / path).read_text().partition("FROM ")[2].partition("-r /needed.txt")[0]

    web, worker = map(beginning, DOCKERFILES)
    assert web == worker


@pytest.mark.parametrize("path", DOCKERFILES)
def test_the_linter_of_dockerfiles_finds_nothing(path: str) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, ROOT / path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_a_service_waits_for_exists(services: dict[str, Any]) -> None:
    for service in services.values():
        assert set(service.get("depends_on", {})) <= services.keys()


def test_each_queue_has_a_worker_and_beat_runs_once(services: dict[str, Any]) -> None:
    commands = [service.get("command") or default_command() for service in services.values()]
    queues = [command[command.index("-Q") + 1] for command in commands if "-Q" in command]
    assert set(queues) == {queue.MEDIA, queue.UPKEEP, queue.WEBHOOKS, queue.UPLOADS}
    assert sum("beat" in command for command in commands) == 1


def default_command() -> list[str]:
    """Give the worker image's command."""
    text = (ROOT / "deploy/worker.Dockerfile").read_text()
    return re.findall(r'"([^"]+)"', text.rpartition("\nCMD")[2])


def test_only_the_gateway_can_be_reached_from_outside(services: dict[str, Any]) -> None:
    opened = [name for name, service in services.items() if "ports" in service]
    assert [name for name in opened if "profiles" not in services[name]] == ["gateway"]


def test_docker_waits_longer_than_a_worker_or_a_web_server_needs_to_end(
    services: dict[str, Any],
) -> None:
    def grace_s(name: str) -> int:
        return int(services[name]["stop_grace_period"].removesuffix("s"))

    assert grace_s("worker") > Settings().stop_s + 10
    for name in WEB:
        command = services[name].get("command", [])
        assert "--graceful-timeout" in command or name in ("auth", "upload")
        assert grace_s(name) > GRACEFUL_TIMEOUT_S
    for path in ("deploy/web.Dockerfile", "docker-compose.yml"):
        text = (ROOT / path).read_text()
        assert set(re.findall(r'"--graceful-timeout", "(\d+)"', text)) == {str(GRACEFUL_TIMEOUT_S)}
