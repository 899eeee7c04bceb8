"""How many uploads a process takes at once: each holds a thread, and the API needs some, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from flask import Flask, current_app

from nextstream.errors import ServerBusy


def install(app: Flask, count: int) -> None:
    """Give an app its slots."""
    app.extensions["upload_slots"] = BoundedSemaphore(count)


@contextmanager
def taken() -> Iterator[None]:
    """Take a slot for the block; raises ServerBusy at once where there is none."""
    slots: BoundedSemaphore = current_app.extensions["upload_slots"]
    if not slots.acquire(blocking=False):
        raise ServerBusy
    try:
        yield
    finally:
        slots.release()
