"""Sends work to Celery's workers by the task's name; needs none of their code."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError

from nextstream import queue
from nextstream.domain.plan import Kind
from nextstream.errors import QueueUnavailable
from nextstream.ports import Message

SOCKET_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 1.0

# One second try, at once: a connection that Redis closed while it idled fails the first one.
RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}


class CeleryDispatcher:
    """Puts messages on the queue `media`; makes no connection before the first message."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery(
            "nextstream.dispatch", broker=queue.broker_url(redis_url), set_as_current=False
        )
        self._app.conf.update(
            broker_transport_options=queue.transport(SOCKET_TIMEOUT_S),
            task_send_sent_event=True,  # Flower shows what waits in the queue
            task_default_queue=queue.MEDIA,
        )

    def send(self, messages: Sequence[Message]) -> None:
        """Send each piece's task; answers within seconds, whatever Redis does."""
        if not messages:
            return
        with _our_errors(), self._app.producer_or_acquire() as producer:
            for message in messages:
                self._send(
                    queue.task_name(message.kind),
                    _args(message),
                    headers={
                        "request_id": message.request_id,
                        "traceparent": message.traceparent,
                    },
                    # What Flower shows of a task, which only needs ids.
                    argsrepr=_tell_piece(message),
                    kwargsrepr=", ".join(message.rungs),
                    retries=message.attempt,
                    queue=queue.MEDIA,
                    priority=message.urgency,
                    producer=producer,
                )

    def queued(self) -> int:
        """Ask Redis for the lengths of the queue's lists."""
        return self._count([queue.MEDIA])[queue.MEDIA]

    def backlog(self) -> Mapping[str, int]:
        """Ask Redis for the lengths of all queues' lists."""
        return self._count(queue.QUEUES)

    def deliver(self, webhook_id: str) -> None:
        """Send `webhooks.deliver`."""
        with _our_errors():
            self._send(queue.DELIVER_TASK, (webhook_id,), queue=queue.WEBHOOKS)

    def fetch(self, upload_id: str, request_id: str | None) -> None:
        """Send `uploads.fetch`."""
        headers = {"request_id": request_id}
        with _our_errors():
            self._send(queue.FETCH_TASK, (upload_id,), queue=queue.UPLOADS, headers=headers)

    def workers(self, enough: int | None = None) -> Sequence[str]:
        """Ask all workers to answer, and give the names of those that do."""
        with _our_errors():
            answers = self._app.control.ping(timeout=ANSWER_TIMEOUT_S, limit=enough)
        return sorted(name for answer in answers for name in answer)

    def _count(self, queues: Sequence[str]) -> Mapping[str, int]:
        with _our_errors(), self._app.connection_or_acquire() as connection:
            channel = connection.default_channel
            return {name: int(channel.queue_declare(name).message_count) for name in queues}

    def _send(self, task: str, args: tuple[str | int, ...], **options: Any) -> None:
        options["headers"] = {**options.get("headers", {}), queue.SENT_AT: time.time()}
        self._app.send_task(task, args, retry=True, retry_policy=RETRY_POLICY, **options)


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, RedisError, OSError) as error:
        raise QueueUnavailable(detail=str(error)) from error


def _args(message: Message) -> tuple[str | int, ...]:
    whole = (message.video_id, message.version)
    return whole if message.kind in (Kind.PROBE, Kind.PUBLISH) else (*whole, message.name)


def _tell_piece(message: Message) -> str:
    return f"video {message.video_id}, version {message.version}, {message.name}"
