"""What happens to encodes by a user's wish: cancelled, retried, done anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from nextstream.domain import backlog, lifecycle
from nextstream.domain.accounts import Account
from nextstream.domain.plan import PROBE, PUBLISH
from nextstream.domain.video import Options, State, Video
from nextstream.errors import WrongState
from nextstream.ports import Platform, Task, Transaction
from nextstream.services import events, feeding, library, purging

log = structlog.get_logger()


def cancel(platform: Platform, account: Account, video_id: str) -> Video:
    """End a video's encode or upload; may run twice. The source stays, for a retry.

    Who works on it loses its claim, and so notices within a second or two. Raises VideoNotFound,
    and WrongState for a video that has ended.
    """
    with library.changing(platform, account, video_id) as (tx, video):
        if video.state is State.CANCELLED:
            return video
        tx.pieces.remove(video.id, video.version)
        if video.size_bytes is None:  # it was still coming in
            tx.uploads.drop(video.id)
            purging.add_all(platform, tx, video.id)
        else:
            purging.add_encode(platform, tx, video)
        cancelled = tx.videos.save(lifecycle.move(video, State.CANCELLED, platform.clock.now()))
        tx.outbox.add(events.about(platform, video, "video.cancelled", by=account.id))
    log.info("video cancelled", video_id=video_id, version=cancelled.version)
    purging.try_sweep(platform)
    return cancelled


def retry(platform: Platform, account: Account, video_id: str) -> Video:
    """Do again what failed; where what was done is gone since, all of it.

    Raises VideoNotFound, and WrongState for a video that didn't fail, or whose upload did.
    """
    with library.changing(platform, account, video_id) as (tx, video):
        _need(video, State.FAILED, State.CANCELLED)
        tasks = tx.pieces.list(video.id, video.version)
        goes_on = purging.keep_encode(tx, video) and tasks
        begun = _go_on(platform, tx, video, tasks) if goes_on else _begin(platform, tx, video)
        tx.outbox.add(events.about(platform, begun, "video.retried", by=account.id))
    feeding.feed(platform)
    return begun


def _go_on(platform: Platform, tx: Transaction, video: Video, tasks: Sequence[Task]) -> Video:
    """Let the pieces of a failed encode that aren't done wait again."""
    tx.pieces.renew(video.id, video.version)
    if all(task.state == "done" for task in tasks if task.piece != PUBLISH):
        tx.pieces.free(video.id, video.version, PUBLISH.name)
    to = State.ENCODING if len(tasks) > 1 else State.UPLOADED  # there is but the probe before the plan
    return tx.videos.save(lifecycle.move(video, to, platform.clock.now(), failure=None))


def reencode(platform: Platform, account: Account, video_id: str, options: Options) -> Video:
    """Encode a video anew, as its next version; the one before plays until that is ready.

    Raises VideoNotFound, and WrongState while an encode goes on.
    """
    with library.changing(platform, account, video_id) as (tx, video):
        _need(video, *lifecycle.ENDED)
        tx.pieces.remove(video.id, video.version)
        purging.keep_encode(tx, video)
        begun = _begin(platform, tx, replace(video, options=options))
        tx.outbox.add(events.about(platform, begun, "video.reencoded", by=account.id))
    feeding.feed(platform)
    return begun


def _need(video: Video, *states: State) -> None:
    if video.state not in states:
        raise WrongState(f"The video is {video.state}; this needs one that is {' or '.join(states)}.")
    if video.size_bytes is None:
        raise WrongState("The upload never ended, so there is nothing to encode; upload it again.")


def _begin(platform: Platform, tx: Transaction, video: Video) -> Video:
    """Begin the next version; what the last one stored goes, unless it is what plays."""
    if video.version != video.public_version:
        purging.add_version(platform, tx, video.id, video.version, 0)
        tx.pieces.remove(video.id, video.version)
    now, version = platform.clock.now(), video.version + 1
    anew = {"version": version, "failure": None, "playable_at": None}
    traceparent = platform.tracer.context()
    video = lifecycle.move(video, State.UPLOADED, now, traceparent=traceparent, **anew)
    video = tx.videos.save(video)
    tx.pieces.add(video.id, version, [PROBE], backlog.guess(video.size_bytes))
    return video
