"""Kafka for tests: librdkafka's mock of a cluster, and Apache Kafka itself where Java is at hand."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests import servers

VERSION = ("kafka_2.13", "3.9.1")  # artifact and version at org.apache.kafka on Maven Central

_MOCK = """
import sys, time
from confluent_kafka import Producer
client = Producer({"test.mock.num.brokers": int(sys.argv[1]), "log_level": 0})
found = client.list_topics(timeout=30).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in found), flush=True)
time.sleep(1e6)
"""


@contextmanager
def mock(brokers: int = 1) -> Iterator[str]:
    """Run librdkafka's mock of a Kafka cluster; gives its bootstrap servers.

    It has its own process: a client of librdkafka doesn't survive this process's forks.
    """
    reading, writing = os.pipe()
    begin = partial(servers.start, [sys.executable, "-c", _MOCK, str(brokers)], writing)
    server = servers.Server(begin, lambda: True)
    os.close(writing)
    ports: list[int] = []
    try:
        with os.fdopen(reading) as output:
            address = output.readline().strip()
            if not address:
                raise servers.NotStarted("librdkafka's mock cluster")
            ports = [int(server.rpartition(":")[2]) for server in address.split(",")]
            servers.RUNNING.update(dict.fromkeys(ports, server))
            yield address
    finally:
        for port in ports:
            servers.RUNNING.pop(port, None)
        server.end()


@contextmanager
def real(cache: Path = servers.CACHE) -> Iterator[str]:
    """Run an Apache Kafka of one node; gives its bootstrap servers. Raises Missing without Java."""
    with servers.folder() as home, _server(home, _PLAIN, _answers, cache) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def secure(home: Path, cache: Path = servers.CACHE) -> Iterator[str]:
    """Run an Apache Kafka that takes users over TLS alone; its authority is `home`/ca.pem."""
    key, ca = home / "key.pem", home / "ca.pem"
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", ca, *names)
    subprocess.run([servers.find("openssl"), "req", *made], check=True, capture_output=True)
    (home / "both.pem").write_text(key.read_text() + ca.read_text())
    more = _SECURE.replace("{inner_port}", str(servers.free_port()))
    with _server(home, more, servers.listens, cache) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _server(home: Path, more: str, ready: Callable[[int], bool], cache: Path) -> Iterator[int]:
    java, jars = servers.find("java"), jars_of(cache)
    # Small and quick to start; a test's load needs no optimising compiler.
    jvm = [java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    settings = home / "server.properties"

    def command(port: int) -> list[str | Path]:
        text = (_SETTINGS + more).format(port=port, quorum_port=servers.free_port(), home=home)
        settings.write_text(text)
        shutil.rmtree(home / "log", ignore_errors=True)
        cluster = ("-t", "bmV4dHN0cmVhbS10ZXN0cw", "-c", settings)
        # The log of the whole cluster's changes needs a first entry before the broker starts.
        tool = [*jvm, "kafka.tools.StorageTool", "format", *cluster]
        subprocess.run(tool, check=True, capture_output=True, timeout=120)
        return [*jvm, "kafka.Kafka", settings]

    with servers.serve(command, ready, wait_s=120) as port:
        yield port


_SETTINGS = """
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


_PLAIN = """
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{quorum_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""

_SECURE = """
listeners=SASL_SSL://127.0.0.1:{port},INNER://127.0.0.1:{inner_port},CONTROLLER://127.0.0.1:{quorum_port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INNER
ssl.keystore.type=PEM
ssl.keystore.location={home}/both.pem
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\
  required user_nextstream="only-for-tests";
"""


def _answers(port: int) -> bool:
    if not servers.listens(port):
        return False
    try:
        client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
        return bool(client.list_topics(timeout=5).brokers)
    except KafkaException:
        return False


def jars_of(cache: Path = servers.CACHE) -> Path:
    """Give the folder of Kafka's jars, fetched once from Maven Central; raises Missing."""
    jars = cache / "-".join(VERSION)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes want it at the same time
        if not jars.is_dir():
            _fetch_jars(jars)
    return jars


def _fetch_jars(jars: Path) -> None:
    maven = servers.find("mvn")
    with tempfile.TemporaryDirectory(dir=jars.parent) as work:
        pom = Path(work) / "pom.xml"
        pom.write_text(_POM.format(artifact=VERSION[0], version=VERSION[1]))
        goal = [
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={work}/jars",
        ]
        done = subprocess.run(
            [maven, "-q", "-B", "-f", pom, *goal], check=False, capture_output=True, timeout=600
        )
        if done.returncode:
            raise servers.Missing(
                f"Kafka can't be had from Maven Central: {done.stdout.decode()[-500:]}"
            )
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
