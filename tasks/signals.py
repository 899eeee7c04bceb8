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
from functools import cache
from typing import Any

from celery import signals, states
from structlog.contextvars import bind_contextvars, get_contextvars, unbind_contextvars

from nextstream import logs
from nextstream.services import operations
from nextstream.settings import Settings
from tasks import platform

# A probe ends as IGNORED when it has become the rest of the chain.
SUCCEEDED = frozenset({states.SUCCESS, states.IGNORED})


@signals.setup_logging.connect
def set_up_logs(**_: Any) -> None:
    """Log as all of NextStream does, in place of Celery's own form, but not each turn of the clock."""
    logs.configure(Settings.read(), "tasks")
    logging.getLogger("celery.beat").setLevel(logging.WARNING)
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(_is_worth_reading)


def _is_worth_reading(record: logging.LogRecord) -> bool:
    """Tell records of media tasks, or of trouble, from those of upkeep tasks that went well."""
    about = record.args if isinstance(record.args, dict) else {}
    return record.levelno > logging.INFO or not str(about.get("name")).startswith("upkeep.")


@signals.before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_: Any) -> None:
    """Give the request id on to every task that is sent from this one."""
    headers.setdefault("request_id", None)
    headers["request_id"] = headers["request_id"] or get_contextvars().get("request_id")


@signals.task_prerun.connect
def note_started(task: Any, **_: Any) -> None:
    """Bind the request id to the logs and note task.started."""
    bind_contextvars(request_id=_request_id(task.request), task_id=task.request.id)
    _note("task.started", task, task.request)


@signals.task_postrun.connect
def note_succeeded(task: Any, state: str | None, **_: Any) -> None:
    """Note task.succeeded; other ends have signals of their own."""
    if state in SUCCEEDED:
        _note("task.succeeded", task, task.request)
    unbind_contextvars("request_id", "task_id")


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
    online(sender.hostname)


@signals.worker_shutting_down.connect
def note_draining(sender: str, **_: Any) -> None:
    """Note worker.draining; a soft shutdown sends this after its wait, so SIGTERM is watched too."""
    draining(sender)


@cache
def online(worker: str) -> None:
    """Note worker.online, once, and watch for SIGTERM and the end of the process."""
    _note_worker("worker.online", worker)
    atexit.register(offline, worker, os.getpid())
    celerys_own = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: Any) -> None:
        draining(worker)
        celerys_own(number, frame)  # type: ignore[operator,misc]  # Celery has set a function

    signal.signal(signal.SIGTERM, drain)


@cache
def draining(worker: str) -> threading.Thread:
    """Note worker.draining, once, from a thread: signal handlers run inside whatever was going on."""
    thread = threading.Thread(target=_note_worker, args=("worker.draining", worker))
    thread.start()
    return thread


def offline(worker: str, pid: int) -> None:
    """Note worker.offline, as the last thing; Celery's own signal isn't sent after a soft shutdown."""
    if os.getpid() == pid:  # and not a child that inherited this
        draining(worker).join()
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
    with platform.journal() as journal:
        operations.note(journal, type_, video_id, _request_id(request), **facts, **data)


def _note_worker(type_: str, worker: str) -> None:
    with platform.journal() as journal:
        operations.note(journal, type_, worker)


def _request_id(request: Any) -> str | None:
    """Read our header; the main process sees the message's headers, a child the task's context."""
    found = getattr(request, "request_id", None)
    return found if isinstance(found, str) else None
