"""docker-compose.yml as it runs: every service in its container, all of it gone at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from tests import podman, servers

PASSWORD = "correct horse battery"
LABEL = "io.podman.compose"
ONE_SHOT = ("prepare", "migrate")  # they end when their work is done
# A small ladder for a small machine; everything else is as a user has it.
SETTINGS = {"NEXTSTREAM_HEIGHTS": "360,240", "NEXTSTREAM_PRESET": "ultrafast"}


@dataclass
class Stack:
    """A running project, and what a user of it does over HTTP."""

    project: str
    url: str
    env: Mapping[str, str]
    took_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    def compose(self, *words: str) -> str:
        return podman.call("podman-compose", "-p", self.project, *words, env=self.env)

    def scale(self, service: str, count: int) -> None:
        self.compose("up", "--detach", "--no-build", "--no-recreate", "--scale", f"{service}={count}")

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """Give what podman knows of the containers, of one service or all."""
        chosen = [f"--filter=label={LABEL}.project={self.project}"]
        if service:
            chosen.append(f"--filter=label={LABEL}.service={service}")
        names = podman.run("ps", "--all", "--quiet", *chosen).split()
        return json.loads(podman.run("inspect", *names)) if names else []

    def container(self, service: str) -> dict[str, Any]:
        return self.containers(service)[0]

    def wait_healthy(self, wait_s: float = 180) -> None:
        """Wait until the health check of every service that goes on says yes."""
        waiting = [c["Name"] for c in self.containers() if service_of(c) not in ONE_SHOT]
        deadline = time.monotonic() + wait_s
        while waiting := [name for name in waiting if not is_healthy(name)]:
            assert time.monotonic() < deadline, [podman.run("logs", "--tail=20", n) for n in waiting]

    def log_in(self) -> None:
        """Register as a new user does."""
        login = {"name": f"user-{os.getpid()}", "password": PASSWORD}
        self._post("/api/v1/auth/register", login)
        token = self._post("/api/v1/auth/login", login)["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def _post(self, path: str, body: Mapping[str, str]) -> dict[str, Any]:
        answer = requests.post(self.url + path, json=body, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    def upload(self, path: Path) -> str:
        with path.open("rb") as body:
            answer = requests.put(
                f"{self.url}/api/v1/uploads/{path.name}", data=body, headers=self.headers, timeout=300
            )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def video(self, video_id: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/v1/videos/{video_id}", headers=self.headers, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    def wait(self, video_id: str, what: str, wait_s: float = 240) -> dict[str, Any]:
        """Wait until a video is `playable` or has `ended`."""
        deadline = time.monotonic() + wait_s
        while True:
            video = self.video(video_id)
            if video["state"] in ("ready", "failed", "cancelled"):
                return video
            if what == "playable" and video.get("playable_at"):
                return video
            assert time.monotonic() < deadline, video
            time.sleep(0.2)

    def fetch_all(self, video_id: str) -> int:
        """Fetch a video as a player does, down to its segments; give their number."""
        master = f"{self.url}/v/{video_id}/master.m3u8"
        segments = [uri for media in named(master) if "index" in media for uri in named(media)]
        for uri in segments:
            assert requests.get(uri, timeout=60).content, uri
        return len(segments)


def named(playlist: str) -> list[str]:
    """Give the addresses that a playlist names on lines of their own."""
    answer = requests.get(playlist, timeout=60)
    answer.raise_for_status()
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return [urljoin(answer.url, line) for line in lines]


def service_of(container: Mapping[str, Any]) -> str:
    return str(container["Config"]["Labels"][f"{LABEL}.service"])


def is_healthy(name: str) -> bool:
    try:
        podman.run("healthcheck", "run", name)
    except AssertionError:
        return False
    return True


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Build all images, start all services, wait for their health, and remove it all after the block."""
    podman.need()
    podman.build_all()
    port, settings = servers.free_port(), folder / "nextstream.env"
    settings.write_text("".join(f"{name}={value}\n" for name, value in SETTINGS.items()))
    env = {"NEXTSTREAM_LISTEN": f"127.0.0.1:{port}", "NEXTSTREAM_ENV_FILE": str(settings)}
    stack = Stack(f"nextstream-test-{os.getpid()}", f"http://127.0.0.1:{port}", env)
    try:
        begun = time.monotonic()
        stack.compose("up", "--detach", "--no-build")
        stack.wait_healthy()
        stack.took_s = time.monotonic() - begun
        stack.log_in()
        yield stack
    finally:
        remove(stack.project)


def remove(project: str) -> None:
    """Remove all that carries the project's name, whatever state it is in."""
    ours = f"--filter=label={LABEL}.project={project}"
    if containers := podman.run("ps", "--all", "--quiet", ours).split():
        podman.run("rm", "--force", "--volumes", "--time=0", *containers)
    volumes = [v for v in podman.run("volume", "ls", "--quiet").split() if v.startswith(f"{project}_")]
    if volumes:  # by name, since one that an image names as well has no label
        podman.run("volume", "rm", "--force", *volumes)
    if networks := podman.run("network", "ls", "--quiet", ours).split():
        podman.run("network", "rm", "--force", *networks)
