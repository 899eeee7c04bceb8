from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from nextstream import wiring
from nextstream.adapters.events_kafka import KafkaSink, Topic, _unbroken
from nextstream.domain.events import Event, happen
from nextstream.errors import EventsUnavailable, Misconfigured
from nextstream.settings import Settings
from tests import kafka, kafka_topic, servers
from tests.conftest import do_without

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TOO_LARGE = "x" * 2_000_000  # librdkafka's limit is a million bytes


@pytest.fixture
def topic() -> str:
    return f"events-{uuid.uuid4().hex}"


@pytest.fixture
def sink(kafka_servers: str, topic: str) -> Iterator[KafkaSink]:
    found = KafkaSink(kafka_servers, Topic(topic), wait_s=5)
    yield found
    found.close()


def make(key: str, **data: object) -> Event:
    return happen("video.tested", key, NOW, **data)


def test_after_a_failed_event_no_later_one_of_its_key_counts() -> None:
    first, failed, later, other = make("a"), make("a"), make("a"), make("b")
    outcomes = {first.id: None, failed.id: "too large", later.id: None, other.id: None}
    assert list(_unbroken([first, failed, later, other], outcomes)) == [first.id, other.id]


def test_an_event_without_an_answer_did_not_arrive() -> None:
    asked, other = make("a"), make("b")
    assert list(_unbroken([asked, other], {other.id: None})) == [other.id]


def test_an_event_that_kafka_refuses_holds_up_only_its_key(sink: KafkaSink) -> None:
    first, refused, later, other = make("a"), make("a", text=TOO_LARGE), make("a"), make("b")
    assert list(sink.send([first, refused, later, other])) == [first.id, other.id]
    assert len(sink.send([make("a"), make("b")])) == 2


def test_a_message_says_what_it_is_and_whose(sink: KafkaSink, kafka_servers: str, topic: str) -> None:
    sink.send([make("video-1")])
    (message,) = kafka_topic.read(kafka_servers, topic)
    assert message.key() == b"video-1"
    assert message.headers() == [("content-type", b"application/cloudevents+json")]


def test_without_anyone_listening_a_send_ends_in_time_and_says_why() -> None:
    sink = KafkaSink(f"127.0.0.1:{servers.free_port()}", Topic("events"), wait_s=0.5)
    begun = time.monotonic()
    with pytest.raises(EventsUnavailable, match="timed out"):
        sink.send([make("a")])
    assert time.monotonic() - begun < 3
    sink.close()


def test_nothing_is_connected_before_the_first_send_so_a_fork_may_come_between(sink: KafkaSink) -> None:
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        try:
            os._exit(len(sink.send([make("a")])))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert len(sink.send([make("a")])) == 1


def test_threads_share_one_connection(sink: KafkaSink) -> None:
    arrived: list[str] = []
    events = [make(f"key-{number}") for number in range(20)]
    threads = [Thread(target=lambda e=event: arrived.extend(sink.send([e]))) for event in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(arrived) == sorted(event.id for event in events)


def test_a_closed_sink_connects_again(sink: KafkaSink, kafka_servers: str, topic: str) -> None:
    sink.send([make("a")])
    sink.close()
    sink.send([make("a")])
    assert len(kafka_topic.read(kafka_servers, topic)) == 2


def test_a_topic_that_is_missing_is_made_as_the_settings_say(
    real_kafka_servers: str, topic: str
) -> None:
    sink = KafkaSink(real_kafka_servers, Topic(topic, partitions=5, retention_s=3600), wait_s=20)
    sink.send([make("a")])
    sink.close()
    client = AdminClient({"bootstrap.servers": real_kafka_servers})
    assert len(client.list_topics(topic, timeout=10).topics[topic].partitions) == 5
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    (found,) = client.describe_configs([resource]).values()
    assert found.result(10)["retention.ms"].value == "3600000"


def test_kafka_is_reached_over_tls_with_a_password(tmp_path: Path, topic: str) -> None:
    secured = Settings(
        kafka_topic=topic,
        kafka_security="sasl_ssl",
        kafka_mechanism="PLAIN",
        kafka_user="nextstream",
        kafka_password="only-for-tests",
        kafka_ca=str(tmp_path / "ca.pem"),
    )
    try:
        with kafka.secure(tmp_path) as address:
            sink = wiring.build(replace(secured, kafka_servers=address)).sink
            assert len(sink.send([make("a")])) == 1
            sink.close()
            wrong = replace(secured, kafka_servers=address, kafka_password="wrong")
            with pytest.raises(EventsUnavailable):
                wiring.build(wrong).sink.send([make("a")])
    except servers.Missing as missing:
        do_without(missing)


def test_a_way_to_kafka_that_does_not_exist_is_told_in_a_sentence() -> None:
    with pytest.raises(Misconfigured, match="sasl_ssl"):
        wiring.build(Settings(kafka_servers="k:9092", kafka_security="tls"))
