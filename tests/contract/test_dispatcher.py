"""What every dispatcher does."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import redis

from nextstream import queue
from nextstream.adapters.dispatch_celery import CeleryDispatcher
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.errors import QueueUnavailable
from nextstream.ports import Dispatcher

Sent = tuple[str, int, str | None]


@dataclass(frozen=True)
class Bench:
    """A dispatcher, a look at what it sent, and a twin of it whose queue is away."""

    dispatcher: Dispatcher
    sent: Callable[[], list[Sent]]
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

    def sent() -> list[Sent]:
        return [of_message(json.loads(text)) for text in reversed(client.lrange(LIST, 0, -1))]

    return Bench(CeleryDispatcher(redis_url), sent, CeleryDispatcher("redis://127.0.0.1:1/0"))


LIST = f"{queue.MEDIA}:{queue.PROBE_PRIORITY}"


def of_message(message: dict) -> Sent:
    assert message["headers"]["task"] == queue.PROBE_TASK
    (video_id, version), *_ = json.loads(base64.b64decode(message["body"]))
    return video_id, version, message["headers"]["request_id"]


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
    bench.dispatcher.transcode("abc", 2, "req-1")
    assert bench.sent() == [("abc", 2, "req-1")]


def test_work_is_kept_in_the_order_it_was_sent(bench: Bench) -> None:
    for number in range(3):
        bench.dispatcher.transcode(f"v{number}", 1, None)
    assert bench.sent() == [("v0", 1, None), ("v1", 1, None), ("v2", 1, None)]


def test_the_same_work_may_be_sent_twice(bench: Bench) -> None:
    bench.dispatcher.transcode("abc", 1, None)
    bench.dispatcher.transcode("abc", 1, None)
    assert len(bench.sent()) == 2


def test_a_queue_that_is_away_is_told_as_an_error_worth_a_retry(bench: Bench) -> None:
    with pytest.raises(QueueUnavailable) as caught:
        bench.away.transcode("abc", 1, None)
    assert caught.value.retryable


def test_asking_for_workers_of_a_queue_that_is_away_is_the_same_error(bench: Bench) -> None:
    with pytest.raises(QueueUnavailable):
        bench.away.workers()


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
        CeleryDispatcher(silent_redis).transcode("abc", 1, None)
    assert time.monotonic() - started < 10
