"""What beat starts: short tasks on a queue of their own."""

from __future__ import annotations

from nextstream.services import operations
from tasks import platform
from tasks.celery import app


@app.task(name="upkeep.prune", ignore_result=True)
def prune() -> int:
    """Remove events that were sent long ago."""
    return operations.prune(platform.current())


@app.task(name="upkeep.relay", ignore_result=True)
def relay() -> int:
    """Send events on that were noted since the last look."""
    return operations.relay(platform.current())
