"""Taking a video in: from the first byte of an upload to the work that follows it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from types import TracebackType

import structlog

from nextstream.domain import lifecycle, paths
from nextstream.domain.accounts import Account, may_upload
from nextstream.domain.events import happen
from nextstream.domain.plan import PROBE
from nextstream.domain.video import Failure, Priority, State, Video
from nextstream.errors import (
    NextStreamError,
    NotAllowed,
    UploadEmpty,
    UploadIncomplete,
    UploadTooLarge,
    VideoNotFound,
)
from nextstream.ports import Platform
from nextstream.services import feeding

log = structlog.get_logger()

TITLE_MAX = 200
FILENAME_MAX = 255
SOURCE_TYPE = "application/octet-stream"  # what a client says of its file is not to be trusted


def receive(
    platform: Platform,
    owner: Account,
    filename: str,
    title: str | None,
    blocks: Iterable[bytes],
    size_bytes: int | None,
    request_id: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> Video:
    """Take a file in as a new video and start its transcode; `size_bytes` is what the sender declared.

    The video is there before any byte moves. Whatever goes wrong leaves it failed, with nothing
    stored, and goes on to the caller. Raises NotAllowed, UploadTooLarge, UploadIncomplete,
    UploadEmpty, and what `blocks` raises. A queue that is away delays the work only.
    """
    check(platform, owner, size_bytes)
    video = _create(platform, owner, filename, title, request_id, priority)
    with ExitStack() as undo:
        undo.push(partial(_give_up, platform, video.id))
        video = _move(platform, video, State.UPLOADING)
        checked = _check_blocks(blocks, size_bytes, platform.settings.upload_max_bytes)
        stored = platform.storage.write(paths.source(video.id), checked, SOURCE_TYPE)
        video = _accept(platform, video, stored.size_bytes)
    log.info("video uploaded", video_id=video.id, size_bytes=video.size_bytes)
    feeding.feed(platform)
    return video


def check(platform: Platform, owner: Account, size_bytes: int | None) -> None:
    """Refuse what can be refused before the first byte; raises NotAllowed and UploadTooLarge."""
    if not may_upload(owner):
        raise NotAllowed
    if size_bytes is not None and size_bytes > platform.settings.upload_max_bytes:
        raise _too_large(platform.settings.upload_max_bytes)


def _create(
    platform: Platform,
    owner: Account,
    filename: str,
    title: str | None,
    request_id: str | None,
    priority: Priority,
) -> Video:
    now = platform.clock.now()
    name = _plain(filename)[-FILENAME_MAX:] or "video"
    video = Video(
        id=paths.new_id(),
        owner_id=owner.id,
        title=(_plain(title or "") or name.rpartition(".")[0] or name)[:TITLE_MAX],
        filename=name,
        created_at=now,
        request_id=request_id,
        state_times={State.CREATED: now},
        priority=priority,
    )
    with platform.database.transaction() as tx:
        tx.videos.add(video)
        tx.outbox.add(
            happen("video.created", video.id, now, request_id, owner_id=owner.id, filename=name)
        )
    return video


def _move(platform: Platform, video: Video, to: State) -> Video:
    with platform.database.transaction() as tx:
        return tx.videos.save(lifecycle.move(video, to, platform.clock.now()))


def _check_blocks(blocks: Iterable[bytes], size_bytes: int | None, max_bytes: int) -> Iterator[bytes]:
    """Pass the blocks on, and raise before the storage takes too many, too few or none for a whole."""
    received = 0
    for block in blocks:
        received += len(block)
        if received > max_bytes:
            raise _too_large(max_bytes)
        yield block
    if size_bytes is not None and received != size_bytes:
        raise UploadIncomplete(detail=f"{received} of {size_bytes} bytes")
    if not received:
        raise UploadEmpty


def _accept(platform: Platform, video: Video, size_bytes: int) -> Video:
    """Note that the source is whole, and the work that waits for it, at once."""
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        video = tx.videos.save(lifecycle.move(video, State.UPLOADED, now, size_bytes=size_bytes))
        tx.pieces.add(video.id, video.version, [PROBE])
        tx.outbox.add(happen("video.uploaded", video.id, now, video.request_id, size_bytes=size_bytes))
    return video


def _give_up(
    platform: Platform,
    video_id: str,
    _: type[BaseException] | None,
    error: BaseException | None,
    __: TracebackType | None,
) -> None:
    """Undo an upload that an error ended, but none that was accepted in spite of it."""
    if error is not None and _fail(platform, video_id, error):
        platform.storage.remove(f"{paths.root(video_id)}/")


def _fail(platform: Platform, video_id: str, error: BaseException) -> bool:
    """Note why an upload failed, and tell whether what it stored is nobody's."""
    ours = error if isinstance(error, NextStreamError) else NextStreamError(detail=repr(error))
    failure = Failure(ours.code, ours.message, ours.detail, ours.retryable)
    now = platform.clock.now()
    with platform.database.transaction() as tx:
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
    log.warning("upload failed", video_id=video_id, error=str(ours))
    return True


def _too_large(max_bytes: int) -> UploadTooLarge:
    return UploadTooLarge(f"The file is larger than this server accepts, {max_bytes} bytes.")


def _plain(text: str) -> str:
    """Give the text in normal form, without control and direction marks, or folders before a name."""
    kept = (c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] != "C")
    return "".join(kept).strip()
