"""What every dispatcher does."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
import redis

from nextstream import queue
from nextstream.adapters.dispatch_celery import CeleryDispatcher
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.domain import scheduling
from nextstream.domain.plan import Kind
from nextstream.errors import QueueUnavailable
from nextstream.ports import Dispatcher, Message

ENCODE = Message("abc", 2, "video-00001", Kind.VIDEO, "req-1", attempt=1, urgency=4)
PROBE = Message("abc", 1, "probe", Kind.PROBE)


@dataclass(frozen=True)
class Bench:
    """A dispatcher, a look at what it sent, and a twin of it whose queue is away."""

    dispatcher: Dispatcher
    sent: Callable[[], list[Message]]
    away: Dispatcher


@pytest.fixture(params=["memory", "celery"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return memory() if request.param == "memory" else celery(request.getfixturevalue("redis_url"))


def memory() -> Bench:
    dispatcher, away = MemoryDispatcher(), MemoryDispatcher()
    away.away = True
    return Bench(dispatcher, lambda: dispatcher.sent, away)


def celery(redis_url: str) -> Bench:
    client = redis.Redis.from_url(queue.client_url(redis_url))
    client.flushdb()

    def sent() -> list[Message]:
        lists = [
            queue.MEDIA,
            *(f"{queue.MEDIA}:{urgency}" for urgency in scheduling.URGENCIES if urgency),
        ]
        texts = [text for name in lists for text in reversed(client.lrange(name, 0, -1))]
        return [of_message(json.loads(text)) for text in texts]

    return Bench(CeleryDispatcher(redis_url), sent, CeleryDispatcher("redis://127.0.0.1:1/0"))


def of_message(message: dict) -> Message:
    (video_id, version, *rest), *_ = json.loads(base64.b64decode(message["body"]))
    headers, urgency = message["headers"], message["properties"]["priority"]
    kind = Kind.VIDEO if headers["task"] == "media.encode" else Kind(headers["task"].split(".")[1])
    name = rest[0] if rest else str(kind)
    about = (headers["request_id"], headers["retries"], urgency)
    return Message(video_id, version, name, kind, *about)


def test_a_ring_for_a_webhook_names_it(redis_url: str) -> None:
    memory_one, celery_one = MemoryDispatcher(), CeleryDispatcher(redis_url)
    for dispatcher in (memory_one, celery_one):
        dispatcher.deliver("w1")
    assert memory_one.rung == ["w1"]
    client = redis.Redis.from_url(queue.client_url(redis_url))
    message = json.loads(client.lpop(queue.WEBHOOKS))
    assert message["headers"]["task"] == queue.DELIVER_TASK
    assert json.loads(base64.b64decode(message["body"]))[0] == ["w1"]


def test_what_is_sent_carries_the_ids_and_the_request(bench: Bench) -> None:
    bench.dispatcher.send([ENCODE])
    assert bench.sent() == [ENCODE]


@pytest.mark.parametrize("kind", [Kind.PROBE, Kind.AUDIO, Kind.PUBLISH])
def test_each_kind_of_piece_has_its_task(bench: Bench, kind: Kind) -> None:
    message = Message("abc", 1, str(kind), kind)
    bench.dispatcher.send([message])
    assert bench.sent() == [message]


def test_work_of_one_urgency_is_kept_in_the_order_it_was_sent(bench: Bench) -> None:
    messages = [replace(PROBE, video_id=f"v{number}") for number in range(3)]
    bench.dispatcher.send(messages)
    assert bench.sent() == messages


def test_the_same_work_may_be_sent_twice_and_is_counted_while_it_waits(bench: Bench) -> None:
    assert bench.dispatcher.queued() == 0
    bench.dispatcher.send([])
    bench.dispatcher.send([PROBE, ENCODE])
    bench.dispatcher.send([PROBE])
    assert bench.dispatcher.queued() == len(bench.sent()) == 3


def test_a_queue_that_is_away_is_told_as_an_error_worth_a_retry(bench: Bench) -> None:
    with pytest.raises(QueueUnavailable) as caught:
        bench.away.send([PROBE])
    assert caught.value.retryable


def test_asking_a_queue_that_is_away_is_the_same_error(bench: Bench) -> None:
    for ask in (bench.away.workers, bench.away.queued):
        with pytest.raises(QueueUnavailable):
            ask()


def test_no_worker_is_named_where_none_runs(bench: Bench) -> None:
    assert list(bench.dispatcher.workers()) == []


@pytest.fixture
def silent_redis() -> Iterator[str]:
    """Listen as Redis would, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_a_redis_that_never_answers_holds_an_upload_up_for_seconds_only(silent_redis: str) -> None:
    started = time.monotonic()
    with pytest.raises(QueueUnavailable):
        CeleryDispatcher(silent_redis).send([PROBE])
    assert time.monotonic() - started < 10


def test_messages_of_all_queues_are_counted(bench: Bench) -> None:
    bench.dispatcher.send([ENCODE, PROBE])
    bench.dispatcher.deliver("w1")
    assert bench.dispatcher.backlog() == {"media": 2, "upkeep": 0, "uploads": 0, "webhooks": 1}
    with pytest.raises(QueueUnavailable):
        bench.away.backlog()


def test_flower_is_told_the_video_the_chunk_and_the_rungs(redis_url: str) -> None:
    bench = celery(redis_url)
    bench.dispatcher.send([replace(ENCODE, rungs=("v720", "v480"), traceparent="00-1-2-01")])
    client = redis.Redis.from_url(queue.client_url(redis_url))
    (text,) = client.lrange(f"{queue.MEDIA}:4", 0, -1)
    headers = json.loads(text)["headers"]
    assert headers["argsrepr"] == "video abc, version 2, video-00001"
    assert headers["kwargsrepr"] == "v720, v480"
    assert headers["traceparent"] == "00-1-2-01"
    assert abs(headers["sent_at"] - time.time()) < 60
