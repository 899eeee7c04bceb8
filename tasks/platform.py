"""The platform of this process, built after the fork: connections don't survive one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from billiard import current_process
from celery.signals import worker_process_init, worker_process_shutdown, worker_shutdown

from nextstream import lifeline, wiring
from nextstream.ports import Platform
from nextstream.settings import Settings
from tasks.shift import WorkerShift


@cache
def current() -> Platform:
    """Give the platform that all tasks of this process share."""
    platform = wiring.build(Settings.read(), shift=WorkerShift())
    platform.metrics.serve()
    return platform


@contextmanager
def journal() -> Iterator[Platform]:
    """Give a platform to note events with: this process's own, else one for the moment.

    A worker's main process forks children at any time, so it keeps nothing open, and makes no
    Kafka producer at all.
    """
    if current.cache_info().currsize:
        yield current()
        return
    names = ("storage_url", "redis_url", "kafka_servers", "ffmpeg", "scaling_url")
    unused = {**dict.fromkeys(names, wiring.MEMORY), "public_storage_url": ""}
    quiet = replace(Settings.read(), metrics_port=0, tracing_url="")
    platform = wiring.build(replace(quiet, **unused))  # type: ignore[arg-type]  # all are str
    try:
        yield platform
    finally:
        platform.database.close()


@worker_process_init.connect
def open_platform(**_: Any) -> None:
    """Build the platform before the first task comes, in a process that ends with its worker."""
    if current_process().name != "MainProcess":
        lifeline.die_with(os.getppid(), signal.SIGKILL)
    current.cache_clear()
    current()


@worker_process_shutdown.connect
@worker_shutdown.connect
def close_platform(**_: Any) -> None:
    """Flush events and let connections go; the main process has none of its own."""
    if current.cache_info().currsize:
        current().sink.close()
        current().database.close()
        current().tracer.close()
        current().metrics.close()
        current.cache_clear()
