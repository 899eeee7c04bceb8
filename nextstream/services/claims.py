"""Claims on pieces of work: taken by compare-and-set, kept by heartbeats, given back or lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from nextstream.domain import lifecycle
from nextstream.domain.video import Failure, Rendition, State, Video
from nextstream.errors import ClaimLost, EncoderFailed, NextStreamError, PieceBusy, VideoNotFound
from nextstream.ports import Platform, Task, Transaction
from nextstream.services import events

log = structlog.get_logger()

BEAT_EVERY_S = 1.0
_BUSY = frozenset({State.UPLOADED, State.PROBING, State.ENCODING})


def take(
    platform: Platform, video_id: str, version: int, name: str, worker: str
) -> tuple[Task, Video] | None:
    """Claim a piece of a video that still wants it, and give both; None where there is nothing to do.

    Raises PieceBusy while another's lease lives: its worker may be dead, and then a message that
    was sent again has to find the piece free, or what waits for it would go on without it.
    """
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        try:
            video = tx.videos.get(video_id)
        except VideoNotFound:
            return None
        if video.state not in _BUSY or video.version != version:
            return None
        task = tx.pieces.claim(video_id, version, name, worker, now, _lease_until(platform))
        if task is None and _is_running(tx.pieces.list(video_id, version), name):
            raise PieceBusy
    if task is None:
        return None
    if task.attempt <= platform.settings.piece_attempts:
        return task, video
    # Its workers died in the middle: a source that kills them must not kill all there are.
    _give_back(platform, task, EncoderFailed(detail="every worker that had it died"), final=True)
    return None


def _is_running(tasks: Sequence[Task], name: str) -> bool:
    return any(task.piece.name == name and task.state == "running" for task in tasks)


@contextmanager
def minding(platform: Platform, task: Task) -> Iterator[None]:
    """Note how a claimed piece fails: given back and raised again if a retry can help, else for good."""
    try:
        yield
    except ClaimLost:
        log.warning("claim lost", video_id=task.video_id, piece=task.piece.name)
    except (SystemExit, KeyboardInterrupt):  # the worker is stopped, and the task starts elsewhere
        _give_back(platform, task, EncoderFailed("The worker was stopped."), final=False)
        raise
    except NextStreamError as error:
        final = not error.retryable or task.attempt >= platform.settings.piece_attempts
        _give_back(platform, task, error, final=final)
        if not final:
            raise


def _give_back(platform: Platform, task: Task, error: NextStreamError, *, final: bool) -> None:
    """Let a claim go, and with `final` fail its video; nothing where the claim was lost meanwhile."""
    facts = {"video_id": task.video_id, "piece": task.piece.name, "error": str(error)}
    log.warning("piece failed", final=final, **facts)
    with suppress(ClaimLost), platform.database.transaction() as tx:
        tx.pieces.give_back(task, str(error), final=final)
        if final:
            _fail(platform, tx, task, error)


def _fail(platform: Platform, tx: Transaction, task: Task, error: NextStreamError) -> None:
    video = tx.videos.get(task.video_id)
    if video.state in lifecycle.ENDED:
        return
    failure = Failure(error.code, error.message, error.detail, error.retryable)
    tx.videos.save(lifecycle.move(video, State.FAILED, platform.clock.now(), failure=failure))
    tx.outbox.add(events.about(platform, video, "video.failed", code=error.code, message=error.message))


class Reporter(Protocol):
    """Tells how many frames are done and, where that can be played already, what is made of them."""

    def __call__(self, frames_done: int, made: Sequence[Rendition] = ()) -> None: ...  # noqa: D102  as above


def reporter(platform: Platform, task: Task) -> Reporter:
    """Give a report that lengthens the lease, once a second at the most; it raises ClaimLost.

    The first thing made is noted at once: someone may wait to watch it. What an attempt before
    made stays noted until there is more.
    """
    last, noted = 0.0, _count(task.renditions)

    def report(frames_done: int, made: Sequence[Rendition] = ()) -> None:
        nonlocal last, noted
        count = _count(made)
        if time.monotonic() - last >= BEAT_EVERY_S or (count and not noted):
            last = time.monotonic()
            more, noted = made if count > noted else (), max(count, noted)
            with platform.database.transaction() as tx:
                tx.pieces.beat(task, frames_done, _lease_until(platform), more)

    return report


def _count(made: Sequence[Rendition]) -> int:
    return sum(len(rendition.segments) for rendition in made)


def _lease_until(platform: Platform) -> datetime:
    return platform.clock.now() + timedelta(seconds=platform.settings.lease_s)
