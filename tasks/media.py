"""The tasks of an encode: each does one piece of work, and the database says which comes next."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.exceptions import Retry
from celery.worker.request import Request

from nextstream.errors import NextStreamError
from nextstream.services import transcoding
from tasks import platform, telemetry
from tasks.celery import app


class MediaRequest(Request):  # type: ignore[misc]  # Celery ships no types
    """A task as the worker's main process sees it."""

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # Celery's own signature
        """Give the task back when the worker stops, and tell so, which Celery leaves to the broker."""
        super().cancel(pool, signal, emit_retry=True)


class MediaTask(Task):  # type: ignore[misc]  # Celery ships no types
    """A task whose piece waits in the database again where it didn't fail its video.

    The message is done with: the next one is sent from there, when it is time, and to whom it should.
    """

    abstract = True
    Request = MediaRequest

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task, or tell that it will run again."""
        try:
            with telemetry.traced(self.request, platform.current().tracer):
                return super().__call__(*args, **kwargs)
        except NextStreamError as error:  # what fails the video ends the task, and isn't raised
            raise Retry(str(error), exc=error) from error


@app.task(name="media.probe", base=MediaTask, bind=True)
def probe(self: MediaTask, video_id: str, version: int) -> None:
    """Look into the source, and add the pieces of its encode."""
    transcoding.probe(platform.current(), video_id, version, self.request.hostname)


@app.task(name="media.encode", base=MediaTask, bind=True)
def encode(self: MediaTask, video_id: str, version: int, name: str) -> None:
    """Encode one chunk of the picture in its rungs."""
    transcoding.encode(platform.current(), video_id, version, name, self.request.hostname)


@app.task(name="media.audio", base=MediaTask, bind=True)
def audio(self: MediaTask, video_id: str, version: int, name: str) -> None:
    """Encode one whole audio track."""
    transcoding.encode(platform.current(), video_id, version, name, self.request.hostname)


@app.task(name="media.text", base=MediaTask, bind=True)
def text(self: MediaTask, video_id: str, version: int, name: str) -> None:
    """Take all subtitles out of the source."""
    transcoding.encode(platform.current(), video_id, version, name, self.request.hostname)


@app.task(name="media.publish", base=MediaTask, bind=True)
def publish(self: MediaTask, video_id: str, version: int) -> None:
    """Write the playlists when all pieces are there."""
    transcoding.publish(platform.current(), video_id, version, self.request.hostname)
