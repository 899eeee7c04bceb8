"""deploy.sh as it runs, with programs in place of aws and docker that note what they are asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.ecs_templates import FOLDER, SIZES, STACKS, TEMPLATES

# Answers as AWS would; `Events` is the only output whose value the script looks at.
AWS = """#!/bin/bash
all=$*
echo "aws $all" >>"$CALLS"
case "$all" in
    *"OutputKey=='Events'"*) echo "$EVENTS" ;;
    *"OutputKey=="*) query=${all##*OutputKey==\\'}; echo "the-${query%%\\'*}" ;;
    *describe-managed-prefix-lists*) echo pl-1 ;;
    *get-bootstrap-brokers*) echo b-1:9096,b-2:9096 ;;
    *run-task*) echo arn:task/house/task-1 ;;
    *exitCode*) echo "${EXIT_CODE:-0}" ;;
    *get-caller-identity*) echo 123456789012 ;;
    *describe-images*) exit "${HAS_IMAGE:-254}" ;;
esac
"""
DOCKER = """#!/bin/bash
echo "docker $*" >>"$CALLS"
"""


class Deployment:
    """A run of the script, and the calls it made."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        for name, text in (("aws", AWS), ("docker", DOCKER)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o700)
        self._env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(self._calls)}

    def run(self, *words: str, events: str = "none", **env: str) -> subprocess.CompletedProcess[str]:
        self._calls.write_text("")
        command = ["bash", FOLDER / "deploy.sh", *words]
        env = {**self._env, "EVENTS": events, **env}
        return subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=120, input="house\n"
        )

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()

    def parameters(self, stack: str) -> dict[str, str]:
        (call,) = (c for c in self.calls if "cloudformation deploy" in c and f"house-{stack} " in c)
        words = call.partition("--parameter-overrides ")[2].partition(" --capabilities")[0]
        return dict(word.split("=", 1) for word in words.split())


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


@pytest.mark.parametrize("size", SIZES)
def test_all_stacks_are_deployed_in_order_with_parameters_that_they_have(
    deployment: Deployment, size: str
) -> None:
    ended = deployment.run("house", size, events="arn:events")
    assert ended.returncode == 0, ended.stderr
    names = [c.split("--stack-name house-")[1].split()[0] for c in deployment.calls if " deploy " in c]
    assert names == STACKS
    for stack in STACKS:
        known, given = TEMPLATES[stack]["Parameters"], deployment.parameters(stack)
        assert given.keys() <= known.keys()
        assert {name for name in known if "Default" not in known[name]} <= given.keys()
    assert deployment.parameters("services")["Brokers"] == "b-1:9096,b-2:9096"
    assert ended.stdout.endswith("NextStream is at the-Url\n")


def test_the_database_is_migrated_before_any_service_starts(deployment: Deployment) -> None:
    deployment.run("house")
    calls = deployment.calls
    migrated = next(n for n, call in enumerate(calls) if "run-task" in call and "migrate" in call)
    started = next(n for n, call in enumerate(calls) if "deploy --stack-name house-services" in call)
    assert migrated < started


def test_a_migration_that_fails_leaves_the_services_as_they_are(deployment: Deployment) -> None:
    ended = deployment.run("house", EXIT_CODE="1")
    assert ended.returncode != 0
    assert not [call for call in deployment.calls if "house-services" in call]


def test_numbers_of_ones_own_go_before_those_of_the_size(deployment: Deployment) -> None:
    deployment.run("house", "small", "MaxWorkers=3", "Domain=video.example.com")
    assert deployment.parameters("scaling")["MaxWorkers"] == "3"
    assert deployment.parameters("edge")["Domain"] == "video.example.com"


def test_an_image_that_is_there_is_not_built_again(deployment: Deployment) -> None:
    deployment.run("house", HAS_IMAGE="0")
    assert not [call for call in deployment.calls if "docker build" in call]
    deployment.run("house")
    assert sum("docker build" in call for call in deployment.calls) == 2


def test_taking_it_down_goes_the_other_way(deployment: Deployment) -> None:
    assert deployment.run("house", "down").returncode == 0
    gone = [c.split("house-")[1] for c in deployment.calls if "delete-stack" in c]
    assert gone == STACKS[::-1]


@pytest.mark.parametrize("words", [(), ("House",), ("house", "huge"), ("house", "small", "odd")])
def test_what_it_does_not_understand_it_explains(deployment: Deployment, words: tuple[str, ...]) -> None:
    ended = deployment.run(*words)
    assert ended.returncode == 2
    assert "deploy.sh NAME [SIZE]" in ended.stderr
    assert not deployment.calls
