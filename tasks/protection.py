"""A worker with a piece in work is not scaled in: Celery's main process knows, and asks for it.

The main process does this from its event loop, since no thread runs as it forks: just before a task
begins when none ran, and at a heartbeat, every two seconds, when none runs any more.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from celery import signals
from celery.worker import state

from nextstream import queue, wiring
from nextstream.services.protection import Guard
from nextstream.settings import Settings


@cache
def guard() -> Guard | None:
    """Give this worker's guard; None where nobody scales it."""
    settings = Settings.read()
    return Guard(wiring.protection(settings)) if settings.ecs_agent_uri else None


@signals.task_received.connect
def note_received(request: Any, **_: Any) -> None:
    """Ask for protection before the first piece begins."""
    if guard_ := _guard_of(request.app):
        guard_.look(time.monotonic(), busy=True)


@signals.heartbeat_sent.connect
def note_heartbeat(sender: Any, **_: Any) -> None:
    """Renew the protection, or end it when all pieces are done."""
    if guard_ := _guard_of(sender.eventer.app):
        guard_.look(time.monotonic(), busy=bool(state.reserved_requests))


def _guard_of(app: Any) -> Guard | None:
    return guard() if queue.MEDIA in app.amqp.queues.consume_from else None
