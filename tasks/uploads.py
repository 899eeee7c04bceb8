"""What workers do for uploads: fetching files from elsewhere."""

from __future__ import annotations

from nextstream.errors import NextStreamError
from nextstream.services import imports
from tasks import platform
from tasks.celery import app

TRIES = 8
LONGEST_BACKOFF_S = 300  # far below the visibility timeout: past it, delayed tasks run twice


@app.task(name="uploads.fetch", bind=True, max_retries=TRIES, ignore_result=True)
def fetch(self, upload_id: str) -> None:  # type: ignore[no-untyped-def]  # Celery ships no types
    """Fetch a file, and again from where it broke off."""
    tries = self.request.retries
    try:
        imports.fetch(platform.current(), upload_id, last_try=tries >= TRIES)
    except NextStreamError as error:
        raise self.retry(exc=error, countdown=min(2**tries, LONGEST_BACKOFF_S)) from error
