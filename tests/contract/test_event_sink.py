"""What every event sink keeps to; Kafka's messages are read back by a consumer of its own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from nextstream.adapters.events_kafka import KafkaSink, Topic
from nextstream.adapters.events_memory import MemorySink
from nextstream.domain.events import Event, happen
from nextstream.errors import EventsUnavailable
from nextstream.ports import EventSink
from tests import kafka_topic, servers

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WAIT_S = 1.5


class Stream(Protocol):
    """A sink, and the other end of it."""

    sink: EventSink

    def bodies(self) -> Sequence[dict[str, Any]]: ...

    def away(self) -> AbstractContextManager[None]: ...


class MemoryStream:
    def __init__(self) -> None:
        self.sink = MemorySink()

    def bodies(self) -> Sequence[dict[str, Any]]:
        return [event.body() for event in self.sink.events]

    @contextmanager
    def away(self) -> Iterator[None]:
        self.sink.away = True
        yield
        self.sink.away = False


@dataclass
class KafkaStream:
    servers: str
    topic: str = field(default_factory=lambda: f"events-{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        self.sink = KafkaSink(self.servers, Topic(self.topic), wait_s=WAIT_S)
        # The first message makes the topic; a Kafka just started numbers no producers for a while.
        patient = KafkaSink(self.servers, Topic(self.topic), wait_s=60)
        patient.send([happen("warm.up", "none", NOW)])
        patient.close()

    def bodies(self) -> Sequence[dict[str, Any]]:
        found = [
            json.loads(message.value() or b"") for message in kafka_topic.read(self.servers, self.topic)
        ]
        return [body for body in found if body["type"] != "warm.up"]

    def away(self) -> AbstractContextManager[None]:
        return servers.frozen(self.servers)


@pytest.fixture(params=["memory", "kafka_servers", "real_kafka_servers"])
def stream(request: pytest.FixtureRequest) -> Iterator[Stream]:
    found = (
        MemoryStream()
        if request.param == "memory"
        else KafkaStream(request.getfixturevalue(request.param))
    )
    yield found
    found.sink.close()


def make(*keys: str) -> list[Event]:
    return [happen("video.tested", key, NOW, request_id="r1", number=n) for n, key in enumerate(keys)]


def numbers(bodies: Sequence[dict[str, Any]], key: str) -> list[int]:
    return [body["data"]["number"] for body in bodies if body["subject"] == key]


def test_all_events_arrive_whole(stream: Stream) -> None:
    events = make("a", "b", "c", "a")
    assert list(stream.sink.send(events)) == [event.id for event in events]
    found = {body["id"]: body for body in stream.bodies()}
    assert found == {event.id: event.body() for event in events}


def test_events_of_a_key_stay_in_order_within_and_between_sends(stream: Stream) -> None:
    events = make(*"abcdefg" * 30)
    for at in range(0, len(events), 50):
        stream.sink.send(events[at : at + 50])
    bodies = stream.bodies()
    for key in "abcdefg":
        found = numbers(bodies, key)
        assert len(found) == 30
        assert found == sorted(found)


def test_nothing_to_send_is_no_error_even_when_away(stream: Stream) -> None:
    with stream.away():
        assert list(stream.sink.send([])) == []


def test_a_sink_that_cannot_be_reached_says_so_and_loses_nothing(stream: Stream) -> None:
    before, during = make("a", "b"), make("a", "b", "a")
    stream.sink.send(before)
    with stream.away(), pytest.raises(EventsUnavailable):
        stream.sink.send(during)
    assert list(stream.sink.send(during)) == [event.id for event in during]
    bodies = stream.bodies()
    assert {body["id"] for body in bodies} == {event.id for event in (*before, *during)}
    # At least once: what was on its way when the stream froze may have come twice, but after.
    assert numbers(bodies, "a")[-2:] == [0, 2]


def test_a_closed_sink_has_sent_everything_and_may_be_closed_again(stream: Stream) -> None:
    stream.sink.send(make("a"))
    stream.sink.close()
    stream.sink.close()
    assert numbers(stream.bodies(), "a") == [0]
