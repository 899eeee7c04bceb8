"""What senders and workers must agree on about the task queue: names, priorities, transport options."""

from __future__ import annotations

from typing import Any

MEDIA = "media"
UPKEEP = "upkeep"

WEBHOOKS = "webhooks"

PROBE_TASK = "media.probe"
DELIVER_TASK = "webhooks.deliver"

DEFAULT_URL = "redis://127.0.0.1:6379/0"

# Smaller comes first. Ending a video that is all encoded comes before beginning another; the
# opening pieces, which let watching start, before the rest.
PUBLISH_PRIORITY = 0
PROBE_PRIORITY = 2
OPENING_PRIORITY = 4
REST_PRIORITY = 6

VISIBILITY_S = 24 * 3600
LONGEST_TASK_S = 6 * 3600


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
        # One list for each of these priorities; others are rounded down to one of them.
        "priority_steps": [PUBLISH_PRIORITY, PROBE_PRIORITY, OPENING_PRIORITY, REST_PRIORITY],
        # The lists are called media, media:2, ...; the default separator can't be read or typed.
        "sep": ":",
        # A worker of several queues empties the first one first, and priorities hold between them.
        "queue_order_strategy": "priority",
        # A Redis that is gone without a word (failover, a cut cable) is noticed.
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": min(socket_timeout_s, 5.0),
        "socket_keepalive": True,
    }
