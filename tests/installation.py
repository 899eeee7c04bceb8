"""A whole NextStream as `make up` starts it, for tests and figures that use it as a person would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests import servers

ROOT = Path(__file__).parents[1]
UP = (sys.executable, "-m", "nextstream", "up")
READY = re.compile(r"NextStream is ready after ([\d.]+) s: (\S+)")
PASSWORD = re.compile(r"Log in as (\S+) with the password (\S+)")


@dataclass
class Installation:
    """A running installation; `log` is what it printed so far."""

    process: subprocess.Popen[str]
    url: str = ""
    operator: str = ""
    password: str = ""
    took_s: float = 0.0
    log: list[str] = field(default_factory=list)

    def token(self) -> str:
        body = {"name": self.operator, "password": self.password}
        answer = requests.post(f"{self.url}/api/v1/auth/login", json=body, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}

    def upload(self, path: Path) -> dict[str, Any]:
        with path.open("rb") as body:
            answer = requests.put(
                f"{self.url}/api/v1/uploads/{path.name}", data=body, headers=self.headers(), timeout=600
            )
        answer.raise_for_status()
        return dict(answer.json())

    def video(self, video_id: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/v1/videos/{video_id}", headers=self.headers(), timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    def wait_ended(self, video_id: str, wait_s: float = 240, every_s: float = 0.1) -> dict[str, Any]:
        """Wait until a video is ready or failed, and look for it as often as that."""
        headers, deadline = self.headers(), time.monotonic() + wait_s
        while time.monotonic() < deadline:
            answer = requests.get(f"{self.url}/api/v1/videos/{video_id}", headers=headers, timeout=30)
            if answer.status_code == 401:  # the token's quarter of an hour is over
                headers = self.headers()
                continue
            if answer.json()["state"] in ("ready", "failed", "cancelled"):
                return dict(answer.json())
            time.sleep(every_s)
        raise AssertionError("\n".join(["the video didn't end", *self.log[-50:]]))


@contextmanager
def running(
    folder: Path,
    env: Mapping[str, str] | None = None,
    wait_s: float = 120,
    command: Sequence[str] = UP,
    home: Path = ROOT,
) -> Iterator[Installation]:
    """Start everything over a data folder, wait until it is ready, stop it after."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NEXTSTREAM_")}
    chosen = {"NEXTSTREAM_DATA_DIR": str(folder), "NEXTSTREAM_PORT": str(servers.free_port())}
    process = subprocess.Popen(
        command,
        cwd=home,
        env={**clean, **chosen, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    house = Installation(process)
    reader = threading.Thread(target=_read, args=(house,), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + wait_s
        while not house.url and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)  # the password's line comes after the address
        if not house.url:
            raise AssertionError("\n".join(["it didn't start", *house.log[-50:]]))
        yield house
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)  # all of it, as Ctrl-C does in a terminal
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        reader.join(5)


def _read(house: Installation) -> None:
    assert house.process.stdout is not None
    for line in house.process.stdout:
        house.log.append(line.rstrip())
        if found := PASSWORD.search(line):
            house.operator, house.password = found.groups()
        if found := READY.search(line):
            house.took_s, house.url = float(found[1]), found[2]
