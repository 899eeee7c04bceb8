"""`nextstream up` for real: everything starts, stops and goes on, and faults are one sentence."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests import servers
from tests.workers import ROOT, descendants, wait_until

READY = re.compile(r"NextStream is ready after ([\d.]+) s: (\S+)")
PASSWORD = re.compile(r"Log in as (\S+) with the password (\S+)")
PARTS = {"redis", "gateway", "media", "upkeep", "webhooks", "beat", "flower"}


@dataclass(frozen=True)
class Up:
    """A running `up`: its process and what it has printed."""

    process: subprocess.Popen[bytes]
    output: Path

    def text(self) -> str:
        return self.output.read_text()

    def ready(self) -> re.Match[str]:
        wait_until(lambda: READY.search(self.text()) is not None, 90, self.process)
        found = READY.search(self.text())
        assert found
        return found

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def up(data: Path, **env: str) -> Iterator[Up]:
    """Run `up` on a data folder; what isn't stopped by the end of the block is killed."""
    output = data.parent / f"{data.name}.log"
    settings = {"DATA_DIR": str(data), "PORT": str(servers.free_port()), "STOP_S": "2", **env}
    with output.open("wb") as file:
        process = servers.start(
            [sys.executable, "-m", "nextstream", "up"],
            file.fileno(),
            env={"PYTHONPATH": str(ROOT), **{f"NEXTSTREAM_{k}": v for k, v in settings.items()}},
        )
    try:
        yield Up(process, output)
    finally:
        servers.end(process, signal.SIGKILL)


def wait_gone(family: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(family, timeout=10)
    assert [process.cmdline() for process in left] == []


def log_in(url: str, name: str, password: str) -> int:
    body = json.dumps({"name": name, "password": password}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/v1/auth/login", body, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return int(response.status)


def test_it_starts_all_parts_says_where_and_stops_on_ctrl_c_leaving_nothing(tmp_path: Path) -> None:
    with up(tmp_path / "data") as running:
        url = running.ready()[2]
        family = running.family()
        named = PASSWORD.search(running.text())
        assert named
        assert log_in(url, *named.groups()) == 200
        assert running.stop(signal.SIGINT) == 0
        wait_gone(family)
    names = {line.partition("|")[0].strip() for line in running.text().splitlines() if " | " in line}
    assert names <= PARTS
    assert "Traceback" not in running.text()


def test_the_next_start_goes_on_with_what_was_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as first:
        first.ready()
        named = PASSWORD.search(first.text())
        assert named
        assert first.stop(signal.SIGTERM) == 0
    key = (data / "secret_key").read_text()
    assert stat.S_IMODE((data / "secret_key").stat().st_mode) == 0o600
    with up(data) as second:
        url = second.ready()[2]
        assert PASSWORD.search(second.text()) is None
        assert log_in(url, *named.groups()) == 200
    assert (data / "secret_key").read_text() == key


def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    with up(tmp_path / "data") as running:
        running.ready()
        family = running.family()
        assert len(family) >= len(PARTS)
        running.process.kill()
        wait_gone(family)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Run one `up` for tests that leave it running; its path is too long for a Unix socket."""
    folder = tmp_path_factory.mktemp("long" * 20)
    with up(folder / "data") as running:
        running.ready()
        yield running


def test_a_folder_whose_path_is_too_long_for_a_socket_works_too(shared: Up) -> None:
    data = shared.output.with_suffix("")
    assert len(str(data / "redis.sock")) > 107
    assert not (data / "redis.sock").exists()
    assert (data / "redis").is_dir()


def test_a_part_that_dies_is_started_again(shared: Up) -> None:
    (beat,) = descendants(shared.process.pid, "beat")
    beat.kill()
    wait_until(lambda: "was ended by SIGKILL; starts again" in shared.text(), 10)
    wait_until(lambda: bool(descendants(shared.process.pid, "beat")), 10)


def test_its_processes_can_only_be_reached_from_this_machine(shared: Up) -> None:
    listening = [
        connection.laddr
        for process in shared.family()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert int(shared.ready()[2].rpartition(":")[2]) in {address.port for address in listening}


def fail(data: Path, **env: str) -> str:
    """Run an `up` that can't start, and give its one sentence."""
    with up(data, **env) as running:
        assert running.process.wait(60) == 2
    (line,) = running.text().splitlines()
    return line


def test_a_port_in_use_is_one_sentence_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert f"Port {port}" in fail(tmp_path / "data", PORT=port)
    assert not (tmp_path / "data").exists()


def test_a_second_one_on_the_same_data_is_one_sentence(shared: Up, tmp_path: Path) -> None:
    link = tmp_path / "data"  # another name is no way around
    link.symlink_to(shared.output.with_suffix(""))
    assert "already runs" in fail(link)
    assert shared.process.poll() is None


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "out").mkdir()
    env = {"DATA_DIR": str(tmp_path / "file" / "data")}
    assert "NEXTSTREAM_DATA_DIR" in fail(tmp_path / "out" / "data", **env)


def test_a_missing_ffmpeg_is_one_sentence(tmp_path: Path) -> None:
    assert "NEXTSTREAM_FFMPEG" in fail(tmp_path / "data", FFMPEG="/nowhere/ffmpeg")


def test_a_part_that_cannot_start_ends_the_start_with_its_name_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    with up(tmp_path / "data", WEB_WORKERS="-1") as running:
        assert running.process.wait(60) == 2
    assert "starts again" in running.text()
    assert "gateway didn't start" in running.text().splitlines()[-1]
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(p.info["cmdline"])]
