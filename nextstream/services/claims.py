"""Claims on pieces of work: taken by compare-and-set, kept by heartbeats, given back or lost."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from nextstream.domain import lifecycle, metrics, scheduling
from nextstream.domain.scheduling import Blame
from nextstream.domain.video import Failure, Rendition, State, Video
from nextstream.errors import (
    ClaimLost,
    EncoderFailed,
    MediaError,
    NextStreamError,
    ShiftOver,
    VideoNotFound,
    WorkerLost,
)
from nextstream.ports import Platform, Task, Transaction
from nextstream.services import events, feeding, fleet, patience, purging

log = structlog.get_logger()

BEAT_EVERY_S = 1.0
AVOID_S = 60.0  # so long a piece waits for a worker that hasn't failed it yet
ASIDE_S = 1.0
LONGEST_WAIT_S = 60.0
STORE_S = 2.0  # what a piece that is encoded still needs to be stored
_BUSY = frozenset({State.UPLOADED, State.PROBING, State.ENCODING})


def take(
    platform: Platform, video_id: str, version: int, name: str, worker: str
) -> tuple[Task, Video] | None:
    """Claim a piece of a video that still wants it, and give both; None where there is nothing to do.

    A message that comes twice finds its piece taken. A worker that has failed the piece leaves it
    to another, if there is one.
    """
    now = platform.clock.now()

    def claim() -> tuple[Task, Video] | None:
        with platform.database.transaction() as tx:
            try:
                video = tx.videos.get(video_id)
            except VideoNotFound:
                return None
            if video.state not in _BUSY or video.version != version:
                return None
            task = tx.pieces.claim(video_id, version, name, worker, _lease_until(platform))
            if task is None or _leave_to_another(tx, task, now):
                return None
            return task, video

    return patience.persist(claim, platform.settings.patience_s)


def _leave_to_another(tx: Transaction, task: Task, now: datetime) -> bool:
    """Give a piece back at once that this worker has failed, where another one might do better."""
    lately = task.failed_at is not None and now < task.failed_at + timedelta(seconds=AVOID_S)
    if task.worker not in task.failed_by or not lately or not fleet.has_others(tx, now, task.failed_by):
        return False
    soon = now + timedelta(seconds=ASIDE_S)
    tx.pieces.give_back(task, task.error or "", final=False, blame=Blame.NOBODY, not_before=soon)
    return True


class Reporter(Protocol):
    """Tells how many frames are done and, where that can be played already, what is made of them."""

    def __call__(self, frames_done: int, made: Sequence[Rendition] = ()) -> None: ...  # noqa: D102  as above


class Claim:
    """A piece that this worker has; a thread of its own keeps the lease, whatever the work is at.

    `platform` is the one to work with: its storage outlasts faults, and stores nothing once the
    claim is lost.
    """

    def __init__(self, platform: Platform, task: Task) -> None:
        self.task = task
        self._platform = platform
        storage = patience.patient(platform.storage, platform.settings.patience_s, self.check)
        self.platform = replace(platform, storage=storage)
        self._frames_done = 0
        self._made: tuple[Rendition, ...] = ()
        self._noted = _count(task.renditions)
        self._beating = threading.Lock()
        self._began_at = time.monotonic()
        self._is_lost = False
        self._ended = threading.Event()
        # It logs under the same request, video and task.
        inherited = contextvars.copy_context()
        self._thread = threading.Thread(target=inherited.run, args=(self._keep,), daemon=True)

    def start(self) -> None:
        """Begin to keep the lease."""
        self._thread.start()

    def end(self) -> None:
        """Stop keeping the lease."""
        self._ended.set()
        self._thread.join()

    def report(self, frames_done: int, made: Sequence[Rendition] = ()) -> None:
        """Note the progress, which goes to the row about once a second; raises as check.

        The first thing made is noted at once: someone may wait to watch it. What an attempt before
        made stays noted until there is more.
        """
        self._frames_done, self._made = frames_done, tuple(made)
        if made and not self._noted:
            self._beat()
        self.check()

    def check(self) -> None:
        """Raise ClaimLost where another has the piece, and ShiftOver where it can't end in time."""
        if self._is_lost:
            raise ClaimLost
        left_s = self._platform.shift.left_s()
        if left_s is not None and self._needs_s() > left_s:
            raise ShiftOver

    def took_s(self) -> float:
        """Give the seconds since the piece was begun."""
        return time.monotonic() - self._began_at

    def _needs_s(self) -> float:
        """Guess the seconds the piece still takes, by its own speed so far."""
        planned, done = self.task.piece.frames, self._frames_done
        if not planned or done >= planned:
            return 0.0
        return STORE_S + (self.took_s() * (planned - done) / done if done else float("inf"))

    def _keep(self) -> None:
        while not self._is_lost and not self._ended.wait(BEAT_EVERY_S):
            self._beat()

    def _beat(self) -> None:
        with self._beating:
            made, count = self._made, _count(self._made)
            more, until = made if count > self._noted else (), _lease_until(self._platform)
            try:
                with self._platform.database.transaction() as tx:
                    tx.pieces.beat(self.task, self._frames_done, until, more)
            except ClaimLost:
                self._is_lost = True
            except NextStreamError as error:  # the database is away; whether we lost, the end tells
                log.warning("no heartbeat", piece=self.task.piece.name, error=str(error))
            else:
                self._noted = max(count, self._noted)


@contextmanager
def minding(platform: Platform, task: Task) -> Iterator[Claim]:
    """Keep a claimed piece, and note how it fails: given back and raised again if a retry can help."""
    claim = Claim(platform, task)
    claim.start()
    try:
        yield claim
    except ClaimLost:
        platform.metrics.count(metrics.CLAIMS_LOST)
        log.warning("claim lost", video_id=task.video_id, piece=task.piece.name)
    except (SystemExit, KeyboardInterrupt):  # the worker is stopped, and the task starts elsewhere
        give_back(platform, task, ShiftOver())
        raise
    except NextStreamError as error:
        if not give_back(platform, task, error):
            raise
    except Exception as error:  # the outermost shell of a piece: a fault of ours fails it like any other
        give_back(platform, task, EncoderFailed(detail=repr(error)))
        raise
    finally:
        claim.end()
        feeding.feed(platform, eager=False)  # a slot is free


def give_back(
    platform: Platform, task: Task, error: NextStreamError, blame: Blame | None = None
) -> bool:
    """Let a claim go, and tell whether that was all: its video failed, or it was lost meanwhile."""
    now, blame = platform.clock.now(), blame or _blame(error)
    failures = len(task.failed_by) + (blame is Blame.PIECE)
    losses = task.losses + (blame is Blame.WORKER)
    often = scheduling.has_failed(failures, losses, platform.settings.piece_attempts)
    final = _is_sources(error) or (often and blame is not Blame.NOBODY)
    facts = {"video_id": task.video_id, "piece": task.piece.name, "error": str(error)}
    log.warning("piece failed", final=final, blame=blame, **facts)
    later = None if isinstance(error, ShiftOver | WorkerLost) else now + _wait(failures)

    def note() -> bool:
        with suppress(ClaimLost, VideoNotFound), platform.database.transaction() as tx:
            tx.videos.lock(task.video_id)
            tx.pieces.give_back(task, str(error), final=final, blame=blame, now=now, not_before=later)
            if final:
                _fail(platform, tx, task, error)
            return final
        return True

    is_over = patience.persist(note, platform.settings.patience_s)
    kind, ends = task.piece.kind, str(final).lower()
    platform.metrics.count(metrics.PIECES_RETURNED, kind=kind, blame=blame, final=ends)
    return is_over


def _is_sources(error: NextStreamError) -> bool:
    """Tell a fault of the source from one that another worker, or a retry after a repair, may not have.

    One worker that lacks ffmpeg, a key or a right would else fail each video that it touches.
    """
    return isinstance(error, MediaError) and not error.retryable


def _blame(error: NextStreamError) -> Blame:
    return Blame.NOBODY if patience.passes(error) else Blame.PIECE


def _wait(failures: int) -> timedelta:
    return timedelta(seconds=min(LONGEST_WAIT_S, 2.0 ** max(failures - 1, 0)))


def _fail(platform: Platform, tx: Transaction, task: Task, error: NextStreamError) -> None:
    video = tx.videos.get(task.video_id)
    if video.state in lifecycle.ENDED or video.version != task.version:
        return
    tx.pieces.hold(video.id, task.version)
    may_help = not _is_sources(error)
    purging.add_encode(platform, tx, video, platform.settings.keep_failed_s if may_help else 0)
    failure = Failure(error.code, error.message, error.detail, may_help)
    platform.metrics.count(metrics.VIDEOS_FAILED, code=error.code)
    tx.videos.save(lifecycle.move(video, State.FAILED, platform.clock.now(), failure=failure))
    tx.outbox.add(events.about(platform, video, "video.failed", code=error.code, message=error.message))


def _count(made: Sequence[Rendition]) -> int:
    return sum(len(rendition.segments) for rendition in made)


def _lease_until(platform: Platform) -> datetime:
    return platform.clock.now() + timedelta(seconds=platform.settings.lease_s)
