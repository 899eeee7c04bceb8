"""What beat starts: short tasks on a queue of their own."""

from __future__ import annotations

from nextstream.errors import NextStreamError
from nextstream.services import (
    audit,
    idempotency,
    imports,
    logins,
    measuring,
    operations,
    purging,
    reconciling,
    scaling,
    upload_ends,
    webhooks,
)
from tasks import platform
from tasks.celery import app

# What is away is back at one of the next looks, and needs no traceback until then.
PASSES = (NextStreamError,)


@app.task(name="upkeep.prune", throws=PASSES)
def prune() -> int:
    """Remove old events, their deliveries, logins that are over, old answers and audit lines."""
    here = platform.current()
    return sum(each.prune(here) for each in (operations, webhooks, logins, idempotency, audit))


@app.task(name="upkeep.relay", throws=PASSES)
def relay() -> int:
    """Send events on that were noted since the last look."""
    return operations.drain(platform.current())


@app.task(name="upkeep.reconcile", throws=PASSES)
def reconcile() -> None:
    """Have work done that was lost, and send what waits."""
    reconciling.reconcile(platform.current())


@app.task(name="upkeep.measure", throws=PASSES)
def measure() -> None:
    """Measure what waits."""
    measuring.measure(platform.current())


@app.task(name="upkeep.purge", throws=PASSES)
def purge() -> int:
    """Remove files that nobody needs any more."""
    return purging.sweep(platform.current())


@app.task(name="upkeep.uploads", throws=PASSES)
def uploads() -> int:
    """Complete what a killed server left whole, remove what nobody goes on with, fetch what was lost."""
    return upload_ends.expire(platform.current()) + imports.send_lost(platform.current())


@app.task(name="upkeep.scale", throws=PASSES)
def scale() -> None:
    """Tell how much encode work waits to whoever starts and stops workers."""
    scaling.publish(platform.current())
