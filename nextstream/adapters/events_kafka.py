"""Sends events to Kafka."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from nextstream.domain.events import Event
from nextstream.errors import EventsUnavailable

log = structlog.get_logger()

# CloudEvents' Kafka Protocol Binding 1.0.2, section 3.3: the message's value is the whole event.
HEADERS = [("content-type", b"application/cloudevents+json")]
MAKE_S = 1.0
KNOCK_S = 0.5
MESSAGE_MAX = (
    900_000  # bytes; librdkafka and brokers take a million, headers included, if nobody changed that
)
_AWAY = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN})
# The options of a producer that another client of ours takes as well.
_SHARED = frozenset(
    {
        "bootstrap.servers",
        "client.id",
        "logger",
        "reconnect.backoff.max.ms",
        "security.protocol",
        "ssl.ca.location",
        "sasl.mechanism",
        "sasl.username",
        "sasl.password",
    }
)
GIVEN_UP_S = 2  # librdkafka looks once a second for messages whose time is over


@dataclass(frozen=True)
class Topic:
    """A topic, and how it is made where it isn't there yet."""

    name: str
    partitions: int = 6
    retention_s: int = 7 * 86400


class KafkaSink:
    """A topic that has all events of a key in one partition, in order.

    The producer is made by the first send, since its threads don't survive a fork.
    """

    def __init__(
        self, servers: str, topic: Topic, wait_s: float = 10, security: Mapping[str, str] | None = None
    ) -> None:
        """Take bootstrap servers, `host:port,...`, and how long a send tries to reach them.

        `security` are librdkafka's options for TLS and logging in.
        """
        self._settings = {**_settings(servers, wait_s), **(security or {})}
        self._topic = topic
        self._wait_s = wait_s + GIVEN_UP_S
        self._producer: Any = None
        self._made = False
        self._is_away = False
        self._lock = Lock()

    def send(self, events: Sequence[Event]) -> Sequence[str]:
        """Send the events, and wait until each has arrived or was given up."""
        if not events:
            return []
        outcomes: dict[str, object] = {}
        producer = self._connect()
        for event in events:
            self._produce(producer, event, outcomes)
        producer.flush(self._wait_s)
        self._send_alone(producer, events, outcomes)
        arrived = list(_unbroken(events, outcomes))
        self._is_away = not arrived
        if not arrived:
            raise EventsUnavailable(detail=str(outcomes.get(events[0].id, "no answer in time")))
        return arrived

    def close(self) -> None:
        """Flush and let go; a later send connects again."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.flush(self._wait_s)

    def _connect(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = Producer(self._settings)
            if self._is_away:
                _knock(self._producer)
            self._made = self._made or _make(self._settings, self._topic)
            return self._producer

    def _send_alone(self, producer: Any, events: Sequence[Event], outcomes: dict[str, object]) -> None:
        """Send events one by one whose batch a broker found too large, or they would block their keys.

        One that is too large alone goes without its data. What came after them in another batch counts
        as not sent, so that it comes again in its order.
        """
        refused = [event for event in events if _is_too_large(outcomes.get(event.id))]
        for event in refused:
            for short in (False, True):
                if _is_too_large(outcomes.get(event.id)):
                    self._produce(producer, event, outcomes, short=short)
                    producer.flush(self._wait_s)
            if outcomes.get(event.id) is not None:  # away again
                break
        outcomes.update(dict.fromkeys(_later(events, refused), "behind one that was too large"))

    def _produce(
        self, producer: Any, event: Event, outcomes: dict[str, object], *, short: bool = False
    ) -> None:
        value = json.dumps(event.body())
        if short or len(value) > MESSAGE_MAX:
            facts = {"event_id": event.id, "type": event.type, "size_bytes": len(value)}
            log.warning("event sent without its data, which Kafka won't take", **facts)
            value = json.dumps(event.short_body())
        try:
            producer.produce(
                self._topic.name,
                key=event.key,
                value=value,
                headers=HEADERS,
                on_delivery=lambda error, _: outcomes.update({event.id: error}),
            )
        except BufferError as error:  # its queue is full; the rest is for the next send
            outcomes[event.id] = error
        except KafkaException as error:  # a producer with a fatal error never sends again
            outcomes[event.id] = error
            self._producer = None


def _knock(producer: Any) -> None:
    """Raise EventsUnavailable soon where nobody answers: a send holds its worker up for longer."""
    try:
        producer.list_topics(timeout=KNOCK_S)
    except KafkaException as error:
        raise EventsUnavailable(detail=str(error)) from error


def _make(settings: Mapping[str, Any], topic: Topic) -> bool:
    """Make the topic unless it is there, and tell whether Kafka answered.

    What else keeps us from it, such as rights that others have, the producer will tell better.
    """
    wanted = NewTopic(
        topic.name, topic.partitions, config={"retention.ms": str(topic.retention_s * 1000)}
    )
    client = AdminClient({name: value for name, value in settings.items() if name in _SHARED})
    (made,) = client.create_topics([wanted], request_timeout=MAKE_S).values()
    try:
        made.result(MAKE_S + 1)
    except KafkaException as error:
        return error.args[0].code() not in _AWAY
    return True


def _unbroken(events: Sequence[Event], outcomes: Mapping[str, object]) -> Iterator[str]:
    """Give the ids of events that arrived, up to the first of each key that didn't."""
    broken: set[str] = set()
    for event in events:
        if outcomes.get(event.id, "no answer in time") is not None:
            broken.add(event.key)
        if event.key not in broken:
            yield event.id


def _later(events: Sequence[Event], refused: Sequence[Event]) -> Iterator[str]:
    """Give the ids of events behind refused ones of their keys that weren't refused."""
    keys: set[str] = set()
    for event in events:
        if event in refused:
            keys.add(event.key)
        elif event.key in keys:
            yield event.id


def _is_too_large(outcome: object) -> bool:
    return isinstance(outcome, KafkaError) and outcome.code() == KafkaError.MSG_SIZE_TOO_LARGE


def _settings(servers: str, wait_s: float) -> dict[str, Any]:
    return {
        "bootstrap.servers": servers,
        "client.id": "nextstream",  # how we show in Kafka's own logs and quotas
        "acks": "all",  # arrived means: on all replicas in sync, so a lost broker loses no event
        "enable.idempotence": True,  # a repeat after a lost answer neither doubles nor reorders
        # Given up before the send that waits for it is, so that every outcome is known.
        "delivery.timeout.ms": int(wait_s * 1000),
        # The default lets it rest for 10 s, a whole send, after Kafka is back.
        "reconnect.backoff.max.ms": 1000,
        # Brokers close what is idle; that is no news.
        "log.connection.close": False,
        # To our logs instead of straight to stderr.
        "logger": logging.getLogger(__name__),
    }
