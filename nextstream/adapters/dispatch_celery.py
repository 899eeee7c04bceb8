"""Sends work to Celery's workers by the task's name; needs none of their code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from nextstream import queue
from nextstream.errors import QueueUnavailable

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

    def transcode(self, video_id: str, version: int, request_id: str | None) -> None:
        """Send `media.probe`; answers within seconds, whatever Redis does."""
        self._send(
            queue.PROBE_TASK,
            (video_id, version),
            queue=queue.MEDIA,
            headers={"request_id": request_id},
            priority=queue.PROBE_PRIORITY,
        )

    def deliver(self, webhook_id: str) -> None:
        """Send `webhooks.deliver`."""
        self._send(queue.DELIVER_TASK, (webhook_id,), queue=queue.WEBHOOKS)

    def workers(self, enough: int | None = None) -> Sequence[str]:
        """Ask all workers to answer, and give the names of those that do."""
        try:
            answers = self._app.control.ping(timeout=ANSWER_TIMEOUT_S, limit=enough)
        except OperationalError as error:
            raise QueueUnavailable(detail=str(error)) from error
        return sorted(name for answer in answers for name in answer)

    def _send(self, task: str, args: tuple[str | int, ...], **options: Any) -> None:
        try:
            self._app.send_task(task, args, retry=True, retry_policy=RETRY_POLICY, **options)
        except OperationalError as error:
            raise QueueUnavailable(detail=str(error)) from error
