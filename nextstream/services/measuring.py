"""What is measured of videos and their work, where it happens, and now and then of all that waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog

from nextstream.domain import metrics
from nextstream.domain.plan import Kind
from nextstream.domain.video import State, Video
from nextstream.errors import QueueUnavailable
from nextstream.ports import Platform, Task
from nextstream.services import fleet, lag

log = structlog.get_logger()


def count_incoming(platform: Platform, blocks: Iterable[bytes], way: str) -> Iterator[bytes]:
    """Pass the blocks of an upload on, and count their bytes."""
    for block in blocks:
        platform.metrics.count(metrics.UPLOAD_BYTES, len(block), way=way)
        yield block


def note_encoded(platform: Platform, task: Task, video: Video, took_s: float) -> None:
    """Count a piece that is done, and its speed in times of real time."""
    kind, plan = task.piece.kind, video.plan
    platform.metrics.count(metrics.PIECES_DONE, kind=kind)
    if plan is None or kind not in (Kind.VIDEO, Kind.AUDIO) or took_s <= 0:
        return
    film_s = task.piece.frames / plan.rate if kind is Kind.VIDEO else plan.duration_s
    platform.metrics.observe(metrics.ENCODE_SPEED, float(film_s) / took_s, kind=kind)


def note_playable(platform: Platform, video: Video) -> None:
    """Measure how long a video's viewers had to wait."""
    if took_s := _since_upload_s(platform, video):
        platform.metrics.observe(metrics.FIRST_PLAYABLE, took_s)


def note_ready(platform: Platform, video: Video) -> None:
    """Count a video that is ready, and measure how long it took."""
    platform.metrics.count(metrics.VIDEOS_READY)
    if took_s := _since_upload_s(platform, video):
        platform.metrics.observe(metrics.READY, took_s)


def measure(platform: Platform) -> None:
    """Measure queues, pieces, workers and lags, for all processes at once; may run twice."""
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        pieces = tx.pieces.count()
        workers = fleet.present(tx, now)
        outbox = lag.of(tx.outbox.backlog(), now)
        deliveries = lag.of(tx.webhooks.backlog(now), now)
    gauge = platform.metrics.set
    for state, count in pieces.items():
        gauge(metrics.PIECES, count, state=state)
    gauge(metrics.WORKERS, len(workers))
    gauge(metrics.SLOTS, sum(worker.slots for worker in workers))
    gauge(metrics.SLOTS_BUSY, pieces.get("running", 0))
    gauge(metrics.OUTBOX_EVENTS, outbox.count)
    gauge(metrics.OUTBOX_AGE, outbox.oldest_s)
    gauge(metrics.WEBHOOKS_WAITING, deliveries.count)
    gauge(metrics.WEBHOOKS_AGE, deliveries.oldest_s)
    _measure_queues(platform)
    gauge(metrics.MEASURED_AT, now.timestamp())


def _measure_queues(platform: Platform) -> None:
    try:
        backlog = platform.dispatcher.backlog()
    except QueueUnavailable as error:  # the rest is worth knowing all the same
        log.warning("queues not measured", error=str(error))
        return
    for queue, count in backlog.items():
        platform.metrics.set(metrics.QUEUE_MESSAGES, count, queue=queue)


def _since_upload_s(platform: Platform, video: Video) -> float:
    began = video.state_times.get(State.UPLOADED)
    return (platform.clock.now() - began).total_seconds() if began else 0.0
