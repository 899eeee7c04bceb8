"""Taking a video in by one request: from its first byte to the work that follows it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from types import TracebackType

from nextstream.domain import lifecycle, paths
from nextstream.domain.accounts import Account
from nextstream.domain.uploading import Stage, part_bytes
from nextstream.domain.video import NO_WISHES, State, Video, Wishes
from nextstream.errors import ClaimLost, UploadEmpty, UploadIncomplete, WrongState
from nextstream.ports import Platform, Transaction, Upload
from nextstream.services import intake, measuring, quotas
from nextstream.services.intake import TITLE_MAX, check

__all__ = ["TITLE_MAX", "check", "receive"]

SOURCE_TYPE = "application/octet-stream"  # what a client says of its file is not to be trusted


def receive(
    platform: Platform,
    owner: Account,
    filename: str,
    title: str | None,
    blocks: Iterable[bytes],
    size_bytes: int | None,
    request_id: str | None = None,
    wishes: Wishes = NO_WISHES,
) -> Video:
    """Take a file in as a new video and start its transcode; `size_bytes` is what the sender declared.

    The video is there before any byte moves. Whatever goes wrong leaves it failed, with nothing
    stored, and goes on to the caller. Raises NotAllowed, UploadTooLarge, QuotaExceeded,
    UploadIncomplete, UploadEmpty, SourceNotVideo, and what `blocks` raises. A queue that is away
    delays the work only.
    """
    check(platform, owner, size_bytes)
    about = (filename, title, request_id, wishes)
    video, upload, room_bytes = _create(platform, owner, about, size_bytes)
    with ExitStack() as undo:
        undo.push(partial(_give_up, platform, upload))
        _begin(platform, video.id)
        checked = _check_blocks(blocks, size_bytes, room_bytes)
        checked = measuring.count_incoming(platform, checked, "request")
        stored = platform.storage.write(upload.key, checked, SOURCE_TYPE)
        with platform.database.transaction() as tx:
            _end(tx, upload, Stage.DONE)
            if size_bytes is None:  # others of the same owner's may have come in meanwhile
                _check_room(platform, tx, owner, stored.size_bytes)
            video = intake.accept(platform, tx, _wanted(tx, upload.id), stored.size_bytes)
    intake.start(platform, video)
    return video


def _create(
    platform: Platform,
    owner: Account,
    about: tuple[str, str | None, str | None, Wishes],
    size_bytes: int | None,
) -> tuple[Video, Upload, int]:
    """Store the video and the row that reserves its bytes; give both and the most it may have."""
    now = platform.clock.now()
    expires_at = now + timedelta(seconds=platform.settings.upload_expires_s)
    with platform.database.transaction() as tx:
        quotas.check(platform, tx, owner.id, size_bytes)
        room_bytes = quotas.room_bytes(platform, tx, owner.id)
        video = intake.add_video(platform, tx, owner.id, *about)
        upload = Upload(
            id=video.id,
            owner_id=owner.id,
            key=paths.source(video.id),
            created_at=now,
            expires_at=expires_at,
            part_bytes=part_bytes(size_bytes or 0),
            length=size_bytes,
            reserved_bytes=size_bytes or 0,
            request_id=video.request_id,
            token=secrets.token_hex(16),  # this request's for as long as it can last
            lease_until=expires_at,
        )
        tx.uploads.add(upload)
    return video, upload, room_bytes


def _begin(platform: Platform, video_id: str) -> None:
    with platform.database.transaction() as tx:
        video = tx.videos.get(video_id)
        tx.videos.save(lifecycle.move(video, State.UPLOADING, platform.clock.now()))


def _wanted(tx: Transaction, video_id: str) -> Video:
    """Give a video as it is by now: its title may have been changed since the first byte.

    Raises VideoNotFound and WrongState where it was removed or cancelled.
    """
    video = tx.videos.get(video_id)
    if video.state is not State.UPLOADING:
        raise WrongState("The video was cancelled while its file came in.")
    return video


def _check_room(platform: Platform, tx: Transaction, owner: Account, size_bytes: int) -> None:
    room_bytes = quotas.room_bytes(platform, tx, owner.id)
    if size_bytes > room_bytes:
        raise intake.too_large(room_bytes)


def _check_blocks(blocks: Iterable[bytes], size_bytes: int | None, max_bytes: int) -> Iterator[bytes]:
    """Pass the blocks on, and raise before the storage takes too many, too few or none for a whole."""
    received = 0
    for block in blocks:
        if not received:
            intake.sniff(block)
        received += len(block)
        if received > max_bytes:
            raise intake.too_large(max_bytes)
        yield block
    if size_bytes is not None and received != size_bytes:
        raise UploadIncomplete(detail=f"{received} of {size_bytes} bytes")
    if not received:
        raise UploadEmpty


def _end(tx: Transaction, upload: Upload, stage: Stage) -> None:
    """Settle what was reserved; nothing where the row has been settled already."""
    with suppress(ClaimLost):
        tx.uploads.end(upload, stage)


def _give_up(
    platform: Platform,
    upload: Upload,
    _: type[BaseException] | None,
    error: BaseException | None,
    __: TracebackType | None,
) -> None:
    """Undo an upload that an error ended, but none that was accepted in spite of it."""
    if error is None:
        return
    with platform.database.transaction() as tx:
        is_nobodys = intake.fail(platform, tx, upload.id, error)
        _end(tx, upload, Stage.GONE)
    if is_nobodys:
        platform.storage.remove(f"{paths.root(upload.id)}/")
