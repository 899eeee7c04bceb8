"""Celery's signals become lifecycle events, each once, whether they fire in a child or the main process.

A child sends task_prerun, task_postrun, task_retry and task_failure. The main process sends
task_failure and task_retry only for a child that couldn't (time limit, lost, stopped), and
task_revoked and those of the worker itself. A receiver that fails is logged by Celery and stops
no task.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from celery import signals, states

from nextstream import logs, queue
from nextstream.domain import tracing
from nextstream.errors import NextStreamError
from nextstream.services import fleet, operations
from nextstream.settings import Settings
from tasks import platform, shift, telemetry

log = structlog.get_logger()


@signals.setup_logging.connect
def set_up_logs(**_: Any) -> None:
    """Log as all of NextStream does, in place of Celery's own form, but not each turn of the clock."""
    logs.configure(Settings.read(), "tasks")
    logging.getLogger("celery.beat").setLevel(logging.WARNING)
    # What a worker has received, but not begun, is about no task yet; each tells when it begins.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").addFilter(_is_worth_reading)


def _is_worth_reading(record: logging.LogRecord) -> bool:
    """Tell records of media tasks, or of trouble, from those of upkeep tasks that went well."""
    about = record.args if isinstance(record.args, dict) else {}
    return record.levelno > logging.INFO or not str(about.get("name")).startswith("upkeep.")


@signals.task_prerun.connect
def note_started(task: Any, **_: Any) -> None:
    """Bind what the task is about to the logs, and note task.started."""
    trace_id = tracing.trace_id(telemetry.traceparent(task.request))
    origin = {"request_id": _request_id(task.request), "trace_id": trace_id}
    logs.bind(task_id=task.request.id, **origin, **_subject(task))
    telemetry.begin(platform.current().metrics, task)
    if not task.name.startswith("upkeep."):
        log.info("task started", task=task.name)
    _note("task.started", task, task.request)


@signals.task_postrun.connect
def note_succeeded(task: Any, state: str | None, **_: Any) -> None:
    """Note task.succeeded; other ends have signals of their own."""
    telemetry.end(platform.current().metrics, task, state)
    try:
        if state == states.SUCCESS:
            _note("task.succeeded", task, task.request)
    finally:
        logs.unbind("request_id", "task_id", "trace_id", *_SUBJECTS.values())


# What the first argument of a task names, by its queue.
_SUBJECTS = {queue.MEDIA: "video_id", queue.UPLOADS: "upload_id", queue.WEBHOOKS: "webhook_id"}


def _subject(task: Any) -> dict[str, str]:
    name = _SUBJECTS.get(task.name.partition(".")[0])
    return {name: str(task.request.args[0])} if name and task.request.args else {}


@signals.before_task_publish.connect
def note_sent(sender: str, headers: dict[str, Any], **_: Any) -> None:
    """Note when beat sends a task, or a task sends one."""
    telemetry.stamp(headers)
    telemetry.note_beat(sender)


@signals.beat_init.connect
def measure_beat(**_: Any) -> None:
    """Let beat answer Prometheus."""
    telemetry.of_beat()


@signals.task_retry.connect
def note_retried(sender: Any, request: Any, reason: Any = None, **_: Any) -> None:
    """Note task.retried, also when a worker that stops gives its task back."""
    _note("task.retried", sender, request, reason=str(reason or "given back by a worker that stops"))


@signals.task_failure.connect
def note_failed(sender: Any, exception: BaseException, **_: Any) -> None:
    """Note task.failed, for a task that will not run again."""
    _note("task.failed", sender, sender.request, error=type(exception).__name__, detail=str(exception))


@signals.task_revoked.connect
def note_revoked(sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:  # noqa: FBT001  Celery's own signature
    """Note task.revoked, with how."""
    _note("task.revoked", sender, request, terminated=terminated, expired=expired)


@signals.worker_ready.connect
def note_online(sender: Any, **_: Any) -> None:
    """Note worker.online; Celery sends this again after each lost connection."""
    slots = sender.controller.concurrency if _encodes(sender.app) else 0
    online(sender.hostname, slots)


def _encodes(app: Any) -> bool:
    return queue.MEDIA in app.amqp.queues.consume_from


@signals.heartbeat_sent.connect
def note_seen(sender: Any, **_: Any) -> None:
    """Note now and then that the worker is there, from its event loop: no thread runs as it forks."""
    me = presence(sender.eventer.hostname)
    if me.slots and time.monotonic() - me.noted_at > fleet.SEEN_EVERY_S:
        me.noted_at = time.monotonic()
        me.note()


@signals.heartbeat_sent.connect
def show_life(**_: Any) -> None:
    """Touch the file that a health check looks at, from the loop that also takes the worker's tasks."""
    if path := Settings.read().alive_file:
        Path(path).touch()


@signals.worker_shutting_down.connect
def note_draining(sender: str, **_: Any) -> None:
    """Note worker.draining; SIGTERM is watched too, since Celery sends this for other ends as well."""
    draining(sender)


@dataclass
class Presence:
    """What a worker says of itself; `slots` is 0 for one that doesn't encode, or isn't ready yet."""

    name: str
    slots: int = 0
    noted_at: float = 0.0
    is_draining: bool = False

    def note(self) -> None:
        """Say it; a database that is away hears it the next time."""
        with suppress(NextStreamError), platform.journal() as journal:
            fleet.note(journal, self.name, self.slots, draining=self.is_draining)

    def leave(self) -> None:
        """Say that the worker has ended."""
        with suppress(NextStreamError), platform.journal() as journal:
            fleet.leave(journal, self.name)


presence = cache(Presence)


@cache
def online(worker: str, slots: int) -> None:
    """Note worker.online, once, and watch for SIGTERM and the end of the process."""
    _note_worker("worker.online", worker, slots=slots)
    me = presence(worker)
    me.slots = slots
    if slots:
        me.note()
    atexit.register(offline, worker, os.getpid())
    celerys_own = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: Any) -> None:
        shift.end_in(Settings.read().stop_s)
        draining(worker)
        celerys_own(number, frame)  # type: ignore[operator,misc]  # Celery has set a function

    signal.signal(signal.SIGTERM, drain)


@cache
def draining(worker: str) -> threading.Thread:
    """Note worker.draining, once, from a thread: signal handlers run inside whatever was going on."""
    thread = threading.Thread(target=_note_draining, args=(worker,))
    thread.start()
    return thread


def _note_draining(worker: str) -> None:
    me = presence(worker)
    me.is_draining = True
    if me.slots:
        me.note()
    _note_worker("worker.draining", worker)


def offline(worker: str, pid: int) -> None:
    """Note worker.offline, as the last thing; Celery's own signal isn't sent after a cold shutdown."""
    if os.getpid() == pid:  # and not a child that inherited this
        draining(worker).join()
        presence(worker).leave()
        _note_worker("worker.offline", worker)


def _note(type_: str, task: Any, request: Any, **data: Any) -> None:
    """Note what happened to a media task, under its video; upkeep tasks are not worth an event."""
    if not task.name.startswith("media."):
        return
    video_id, version, *rest = request.args
    facts = {
        "task": task.name,
        "task_id": request.id,
        "version": version,
        "worker": request.hostname,
        "attempt": (getattr(request, "retries", None) or 0) + 1,
        **({"piece": rest[0]} if rest else {}),
    }
    origin = {"traceparent": telemetry.traceparent(request), "request_id": _request_id(request)}
    with platform.journal() as journal:
        operations.note(journal, type_, video_id, **origin, **facts, **data)


def _note_worker(type_: str, worker: str, **data: Any) -> None:
    with platform.journal() as journal:
        operations.note(journal, type_, worker, **data)


def _request_id(request: Any) -> str | None:
    """Read our header; the main process sees the message's headers, a child the task's context."""
    found = getattr(request, "request_id", None)
    return found if isinstance(found, str) else None
