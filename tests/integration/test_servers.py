from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests import conftest, kafka, servers

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "redis": lambda _: servers.redis(),
    "s3": servers.rclone_s3,
    "kafka_mock": lambda _: kafka.mock(),
    "kafka_real": lambda _: kafka.real(),
    "postgres": lambda _: servers.postgres(),
}


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractContextManager[str]:
    return SERVERS[request.param](tmp_path)


def test_a_server_leaves_no_process_and_no_port(server: AbstractContextManager[str]) -> None:
    before = children()
    try:
        with server:
            mine = children() - before
            ports = set(servers.RUNNING)
            assert mine
            assert all(servers.listens(port) for port in ports)
    except servers.Missing as missing:
        conftest.do_without(missing)
    assert not any(psutil.pid_exists(pid) for pid in mine)
    assert not any(servers.listens(port) for port in ports - set(servers.RUNNING))


@contextmanager
def missing() -> Iterator[str]:
    raise servers.Missing("no such server")
    yield


def test_a_missing_server_skips_its_tests_but_fails_them_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="no such server"):
        next(conftest.serve(missing()))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no such server"):
        next(conftest.serve(missing()))


def test_a_server_dies_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import time; from tests import servers\n"
        "with servers.redis() as url: print(url, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},  # where its files stay
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        port = int(output.readline().rpartition(":")[2].partition("/")[0])
    assert servers.listens(port)
    parent.kill()
    parent.wait()
    assert _soon(lambda: not servers.listens(port))


def test_a_program_that_ends_at_once_is_not_started_and_says_why() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no room here')"]
    with pytest.raises(servers.NotStarted, match="no room here"), servers.serve(lambda _: command):
        pass


def test_a_program_that_never_listens_is_not_started_and_is_gone() -> None:
    before = children()
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(servers.NotStarted, match="not ready"),
        servers.serve(lambda _: command, wait_s=0.3),
    ):
        pass
    assert children() == before


def test_a_server_lost_to_another_on_its_port_starts_on_the_next() -> None:
    ports: list[int] = []

    def command(port: int) -> list[str]:
        ports.append(port)
        script = "raise SystemExit(1)" if len(ports) == 1 else _LISTEN
        return [sys.executable, "-c", script, str(port)]

    with servers.serve(command) as port:
        assert [port] == ports[1:]


def test_an_error_inside_the_block_is_not_taken_for_a_failed_start() -> None:
    with (
        pytest.raises(servers.NotStarted, match="another"),
        servers.serve(lambda port: [sys.executable, "-c", _LISTEN, str(port)]),
    ):
        raise servers.NotStarted("another")


_LISTEN = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))): time.sleep(60)
"""


def test_a_program_deaf_to_signals_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(flush=True); time.sleep(60)"
    )
    reading, writing = os.pipe()
    process = servers.start([sys.executable, "-c", script], writing)
    os.read(reading, 1)
    monkeypatch.setattr(process, "wait", _impatient(process.wait))
    servers.end(process)
    assert process.returncode == -signal.SIGKILL
    os.close(reading)
    os.close(writing)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(servers.Missing, match="no-such-program"):
        servers.find("no-such-program")


def test_a_frozen_server_answers_nothing_until_it_thaws(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, socket_timeout=0.2) as client:
        with servers.frozen(redis_url), pytest.raises(redis.TimeoutError):
            client.ping()
        assert _soon(client.ping)


@pytest.mark.parametrize("durable", [True, False])
def test_a_stopped_server_comes_back_at_its_port_with_what_it_keeps(durable: bool) -> None:
    with servers.redis(durable=durable) as url, redis.Redis.from_url(url) as client:
        client.set("name", "value")
        with servers.stopped(url), pytest.raises(redis.ConnectionError):
            client.ping()
        assert client.get("name") == (b"value" if durable else None)


def test_a_stopped_database_has_its_rows_again(postgres_url: str) -> None:
    address = postgres_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    with servers.stopped(postgres_url), pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)


def test_each_test_gets_an_empty_database(postgres_url: str) -> None:
    with servers.database(postgres_url) as other:
        assert other != postgres_url
        with psycopg.connect(other.replace("+psycopg", "")) as connection:
            assert connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            ).fetchone() == (0,)


def _soon(check: Callable[[], object], wait_s: float = 5) -> bool:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.02)
    return False


def _impatient(wait: Callable[..., int]) -> Callable[..., int]:
    return lambda timeout=None: wait(0.2 if timeout else None)
