"""The chain of an encode: probe, then all pieces at once, then publish."""

from __future__ import annotations

from typing import Any

from celery import Signature, Task, chord
from celery.utils.time import get_exponential_backoff_interval
from celery.worker.request import Request

from nextstream import queue
from nextstream.domain.plan import Kind, Piece
from nextstream.errors import NextStreamError
from nextstream.services import transcoding
from tasks import platform
from tasks.celery import app

BACKOFF_S = 1
LONGEST_BACKOFF_S = 60  # far below the visibility timeout: past it, delayed tasks run twice


class MediaRequest(Request):  # type: ignore[misc]  # Celery ships no types
    """A task as the worker's main process sees it."""

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # Celery's own signature
        """Give the task back when the worker stops, and tell so, which Celery leaves to the broker."""
        super().cancel(pool, signal, emit_retry=True)


class MediaTask(Task):  # type: ignore[misc]  # Celery ships no types
    """A task that is tried again, for as long as it takes, where a retry can help.

    A storage or database that is away comes back one day; giving up would leave a video half done.
    """

    abstract = True
    max_retries = None
    Request = MediaRequest

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task, or send it again for later."""
        try:
            return super().__call__(*args, **kwargs)
        except NextStreamError as error:
            if not error.retryable:
                raise
            raise self.retry(exc=error, countdown=backoff_s(self.request.retries)) from error


def backoff_s(retries: int) -> int:
    """Give the seconds to wait: doubled each time, with jitter, so that not all come back at once."""
    return int(get_exponential_backoff_interval(BACKOFF_S, retries, LONGEST_BACKOFF_S, full_jitter=True))


@app.task(name="media.probe", base=MediaTask, bind=True)
def probe(self: MediaTask, video_id: str, version: int) -> None:
    """Look into the source and become the rest of the chain, under this task's id."""
    pieces = transcoding.probe(platform.current(), video_id, version, self.request.hostname)
    if pieces:
        signatures = [signature(video_id, version, piece) for piece in pieces]
        raise self.replace(chord(signatures, publish.si(video_id, version)))


@app.task(name="media.encode", base=MediaTask, bind=True)
def encode(self: MediaTask, video_id: str, version: int, name: str) -> None:
    """Encode one chunk of the picture in its rungs."""
    transcoding.encode(platform.current(), video_id, version, name, self.request.hostname)


@app.task(name="media.audio", base=MediaTask, bind=True)
def audio(self: MediaTask, video_id: str, version: int, name: str) -> None:
    """Encode one whole audio track."""
    transcoding.encode(platform.current(), video_id, version, name, self.request.hostname)


@app.task(name="media.publish", base=MediaTask, bind=True)
def publish(self: MediaTask, video_id: str, version: int) -> None:
    """Write the playlists when all pieces are there."""
    transcoding.publish(platform.current(), video_id, version, self.request.hostname)


def signature(video_id: str, version: int, piece: Piece) -> Signature:
    """Give the message of a piece; the opening chunk comes before the other ones."""
    if piece.kind is Kind.AUDIO:
        return audio.si(video_id, version, piece.name)
    chunk = encode.si(video_id, version, piece.name)
    return chunk if piece.first_frame else chunk.set(priority=queue.OPENING_PRIORITY)
