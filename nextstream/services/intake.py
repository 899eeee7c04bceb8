"""What all ways of upload share: a new video, its acceptance with the work that follows, its failure."""

from __future__ import annotations

import unicodedata

import structlog

from nextstream import logs
from nextstream.domain import backlog, lifecycle, metrics, paths, sniffing
from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account
from nextstream.domain.events import happen
from nextstream.domain.plan import PROBE
from nextstream.domain.video import NO_WISHES, Failure, Priority, State, Video, Visibility, Wishes
from nextstream.errors import (
    NextStreamError,
    QuotaExceeded,
    SourceNotVideo,
    TooManyUploads,
    UploadTooLarge,
    VideoNotFound,
)
from nextstream.ports import Platform, Transaction
from nextstream.services import feeding

log = structlog.get_logger()

TITLE_MAX = 200
FILENAME_MAX = 255
READ_MAX = 1024  # characters: Unicode has texts that take the square of their length to normalize
REFUSALS = (QuotaExceeded, TooManyUploads, UploadTooLarge)  # of whatever would add to an account


def check(platform: Platform, owner: Account, size_bytes: int | None) -> None:
    """Refuse what can be refused before the first byte; raises NotAllowed and UploadTooLarge."""
    demand(owner, Action.UPLOAD)
    if size_bytes is not None and size_bytes > platform.settings.upload_max_bytes:
        raise too_large(platform.settings.upload_max_bytes)


def too_large(max_bytes: int) -> UploadTooLarge:
    """Give the error for a file that is larger than this many bytes."""
    return UploadTooLarge(f"The file is larger than this server accepts, {max_bytes} bytes.")


def sniff(head: bytes) -> None:
    """Raise SourceNotVideo for a file whose first bytes say that it is something else."""
    if what := sniffing.name(head[: sniffing.ENOUGH_BYTES]):
        raise SourceNotVideo(f"The file is {what}, and no video; choose a video or audio file.")


def add_video(
    platform: Platform,
    tx: Transaction,
    owner_id: str,
    filename: str,
    title: str | None,
    request_id: str | None,
    wishes: Wishes = NO_WISHES,
) -> Video:
    """Store a new video, whose bytes are still to come."""
    now = platform.clock.now()
    last = _plain(filename[-READ_MAX:]).replace("\\", "/").rpartition("/")[2]
    name = last[-FILENAME_MAX:] or "video"
    video = Video(
        id=paths.new_id(),
        owner_id=owner_id,
        title=(_plain((title or "")[:READ_MAX]) or name.rpartition(".")[0] or name)[:TITLE_MAX],
        filename=name,
        created_at=now,
        request_id=request_id,
        state_times={State.CREATED: now},
        priority=wishes.priority or Priority.NORMAL,
        visibility=wishes.visibility or Visibility.UNLISTED,
        options=wishes.options,
        traceparent=platform.tracer.context(),
    )
    tx.videos.add(video)
    logs.bind(video_id=video.id)
    about = {"owner_id": owner_id, "filename": name}
    made = happen("video.created", video.id, now, request_id, traceparent=video.traceparent, **about)
    tx.outbox.add(made)
    return video


def accept(platform: Platform, tx: Transaction, video: Video, size_bytes: int) -> Video:
    """Note that the source is whole, and the work that waits for it, at once."""
    now = platform.clock.now()
    video = tx.videos.save(lifecycle.move(video, State.UPLOADED, now, size_bytes=size_bytes))
    tx.pieces.add(video.id, video.version, [PROBE], backlog.guess(size_bytes))
    origin = (video.id, now, video.request_id)
    tx.outbox.add(
        happen("video.uploaded", *origin, traceparent=video.traceparent, size_bytes=size_bytes)
    )
    return video


def start(platform: Platform, video: Video) -> None:
    """Send an accepted video to work, after its commit; a queue that is away delays it only."""
    log.info("video uploaded", video_id=video.id, size_bytes=video.size_bytes)
    feeding.feed(platform)


def fail(platform: Platform, tx: Transaction, video_id: str, error: BaseException) -> bool:
    """Note why an upload failed, and tell whether what it stored is nobody's."""
    ours = error if isinstance(error, NextStreamError) else NextStreamError(detail=repr(error))
    failure = Failure(ours.code, ours.message, ours.detail, ours.retryable)
    now = platform.clock.now()
    try:
        video = tx.videos.get(video_id)
    except VideoNotFound:  # removed while it came in
        return True
    if video.state is State.CANCELLED and video.size_bytes is None:
        return True
    if video.state not in (State.CREATED, State.UPLOADING):
        return False
    tx.videos.save(lifecycle.move(video, State.FAILED, now, failure=failure))
    tx.outbox.add(
        happen("video.failed", video_id, now, video.request_id, code=ours.code, message=ours.message)
    )
    platform.metrics.count(metrics.VIDEOS_FAILED, code=ours.code)
    log.warning("upload failed", video_id=video_id, error=str(ours))
    return True


def _plain(text: str) -> str:
    """Give the text in normal form, without control and direction marks."""
    kept = (c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] != "C")
    return "".join(kept).strip()
