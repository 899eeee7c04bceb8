"""What is measured and traced of every task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from celery import states

from nextstream import queue, wiring
from nextstream.domain.metrics import BEATS, QUEUE_WAIT, TASK_SECONDS, TASKS
from nextstream.ports import Metrics, SpanKind, Tracer
from nextstream.settings import Settings

OUTCOMES = {states.SUCCESS: "succeeded", states.RETRY: "retried"}

# When the tasks of this process began, by their ids.
_began: dict[str, float] = {}


def begin(metrics: Metrics, task: Any) -> None:
    """Note that a task begins, and how long its message has waited."""
    _began[task.request.id] = time.monotonic()
    sent_at = _sent_at(task.request)
    if sent_at and not task.request.eta:  # one with an ETA was meant to wait
        waited_s = max(0.0, time.time() - sent_at)
        metrics.observe(QUEUE_WAIT, waited_s, queue=task.name.partition(".")[0])


def end(metrics: Metrics, task: Any, state: str | None) -> None:
    """Note how a task ended."""
    took_s = time.monotonic() - _began.pop(task.request.id, time.monotonic())
    metrics.observe(TASK_SECONDS, took_s, task=task.name)
    metrics.count(TASKS, task=task.name, outcome=OUTCOMES.get(state or "", "failed"))


@contextmanager
def traced(request: Any, tracer: Tracer) -> Iterator[None]:
    """Let what a task does be a step of its video's trace, and its wait in the queue another."""
    parent, sent_at = traceparent(request), _sent_at(request)
    now = datetime.now(UTC)
    if sent_at:
        began_at = datetime.fromtimestamp(sent_at, UTC)
        tracer.note("wait in queue", parent, began_at, now, task=request.task)
    video_id, version, *rest = request.args
    facts = {"video_id": video_id, "version": version, "piece": rest[0] if rest else None}
    with tracer.span(request.task, parent, SpanKind.CONSUMER, task_id=request.id, **facts):
        yield


def traceparent(request: Any) -> str | None:
    """Read our header."""
    found = getattr(request, "traceparent", None)
    return found if isinstance(found, str) else None


@cache
def of_beat() -> Metrics:
    """Give what beat counts with, which has no platform; it answers Prometheus too."""
    metrics = wiring.metrics(Settings.read())
    metrics.serve()
    return metrics


def note_beat(task_name: str) -> None:
    """Count a task that beat sends; nothing in another process."""
    if of_beat.cache_info().currsize:
        of_beat().count(BEATS, task=task_name)


def stamp(headers: dict[str, Any]) -> None:
    """Write into a message when it was sent."""
    headers[queue.SENT_AT] = time.time()


def _sent_at(request: Any) -> float | None:
    found = getattr(request, queue.SENT_AT, None)
    return float(found) if isinstance(found, int | float) else None
