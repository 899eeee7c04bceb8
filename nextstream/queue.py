"""What senders and workers must agree on about the task queue: names, priorities, transport options."""

from __future__ import annotations

from typing import Any

from nextstream.domain import scheduling
from nextstream.domain.plan import Kind

MEDIA = "media"
UPKEEP = "upkeep"
UPLOADS = "uploads"
WEBHOOKS = "webhooks"
QUEUES = (MEDIA, UPKEEP, UPLOADS, WEBHOOKS)

SENT_AT = "sent_at"  # header of a message: when it was sent, in seconds since 1970

DELIVER_TASK = "webhooks.deliver"
FETCH_TASK = "uploads.fetch"
_TASKS = {
    Kind.PROBE: "media.probe",
    Kind.AUDIO: "media.audio",
    Kind.TEXT: "media.text",
    Kind.PUBLISH: "media.publish",
}

DEFAULT_URL = "redis://127.0.0.1:6379/0"

VISIBILITY_S = 24 * 3600
LONGEST_TASK_S = 6 * 3600


def task_name(kind: Kind) -> str:
    """Give the task that does a kind of piece."""
    return _TASKS.get(kind, "media.encode")


def broker_url(redis_url: str) -> str:
    """Give the queue's address as Celery wants it: the chosen Redis, or this machine's usual one."""
    return redis_url or DEFAULT_URL


def client_url(redis_url: str) -> str:
    """Give the queue's address as redis-py wants it, which names Unix sockets in another way."""
    return broker_url(redis_url).replace("redis+socket://", "unix://")


def transport(socket_timeout_s: float) -> dict[str, Any]:
    """Give kombu's options for Redis; both sides need the same, or they look at different lists."""
    return {
        # Redis gives a task to another worker when it wasn't acknowledged in this time. Such a task
        # would run twice at once, so it lies far above the longest one; losses are found by leases.
        "visibility_timeout": VISIBILITY_S,
        # One list for each urgency that a message may have; smaller comes first.
        "priority_steps": list(scheduling.URGENCIES),
        # The lists are called media, media:1, ...; the default separator can't be read or typed.
        "sep": ":",
        # A worker of several queues empties the first one first, and priorities hold between them.
        "queue_order_strategy": "priority",
        # A Redis that is gone without a word (failover, a cut cable) is noticed.
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": min(socket_timeout_s, 5.0),
        "socket_keepalive": True,
    }
