from __future__ import annotations

import json
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
from confluent_kafka.cimpl import NewTopic

from nextstream import wiring
from nextstream.adapters.events_kafka import KafkaSink, Topic, _later, _unbroken
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
    found = KafkaSink(kafka_servers, Topic(topic), wait_s=20)
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


def test_an_event_too_large_for_kafka_goes_without_its_data_in_its_place(
    sink: KafkaSink, kafka_servers: str, topic: str
) -> None:
    events = [make("a"), replace(make("a"), data={"text": TOO_LARGE}), make("a"), make("b")]
    assert list(sink.send(events)) == [event.id for event in events]
    bodies = [json.loads(message.value()) for message in kafka_topic.read(kafka_servers, topic)]
    of_a = [body for body in bodies if body["subject"] == "a"]
    assert [body["id"] for body in of_a] == [event.id for event in events[:3]]
    assert of_a[1] == events[1].short_body()


def test_what_came_before_one_that_is_sent_again_comes_again_behind_it() -> None:
    first, refused, later, other = make("a"), make("a"), make("a"), make("b")
    assert list(_later([first, refused, later, other], [refused])) == [later.id]


def test_an_event_too_large_for_the_brokers_settings_blocks_nobody(
    real_kafka_servers: str, topic: str
) -> None:
    client = AdminClient({"bootstrap.servers": real_kafka_servers})
    (made,) = client.create_topics([NewTopic(topic, 1, config={"max.message.bytes": "1000"})]).values()
    made.result(30)
    sink = KafkaSink(real_kafka_servers, Topic(topic), wait_s=20)
    first, large, later, other = make("a"), make("a", text="x" * 1900), make("a"), make("b")
    assert len(sink.send([first, large, later, other])) == 4
    sink.close()
    bodies = [json.loads(message.value()) for message in kafka_topic.read(real_kafka_servers, topic)]
    assert [body["id"] for body in bodies] == [first.id, large.id, later.id, other.id]
    assert [body["id"] for body in bodies if "datacut" in body] == [large.id]


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


def test_while_kafka_is_away_only_the_first_send_waits_for_it(kafka_servers: str, topic: str) -> None:
    sink = KafkaSink(kafka_servers, Topic(topic), wait_s=5)
    sink.send([make("a")])
    with servers.frozen(kafka_servers):
        with pytest.raises(EventsUnavailable):
            sink.send([make("a")])
        begun = time.monotonic()
        for _ in range(2):
            with pytest.raises(EventsUnavailable):
                sink.send([make("a")])
        assert time.monotonic() - begun < 3
    sends = iter(lambda: _try(sink, make("a")), 1)
    assert sum(1 for _ in sends) < 20
    sink.close()


def _try(sink: KafkaSink, event: Event) -> int:
    try:
        return len(sink.send([event]))
    except EventsUnavailable:
        return 0


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
