"""What tells other systems of events, on a queue of its own: a slow receiver hurts nobody else."""

from __future__ import annotations

from nextstream import queue
from nextstream.services import webhooks
from tasks import platform
from tasks.celery import app


@app.task(name="upkeep.fan_out", ignore_result=True)
def fan_out() -> int:
    """Make deliveries of new events, and ring for all that is due."""
    return webhooks.fan_out(platform.current())


@app.task(name=queue.DELIVER_TASK, ignore_result=True)
def deliver(webhook_id: str) -> int:
    """Send what is due for one webhook."""
    return webhooks.deliver(platform.current(), webhook_id)
