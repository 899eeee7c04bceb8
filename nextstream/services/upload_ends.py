"""How an upload ends: as its video's source, joined with others, cancelled, refused or expired."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from nextstream.domain import lifecycle, paths
from nextstream.domain.events import happen
from nextstream.domain.uploading import UNWANTED, WAITING, Stage
from nextstream.domain.video import State
from nextstream.errors import (
    NextStreamError,
    ObjectNotFound,
    StorageError,
    UploadEmpty,
    UploadExpired,
    UploadGone,
    UploadLocked,
    UploadNotFound,
    VideoNotFound,
)
from nextstream.ports import Platform, Transaction, Upload
from nextstream.services import intake, upload_leases

log = structlog.get_logger()

PARTS_GONE = "A partial upload was removed before this one was put together from it; start anew."


def check_alive(platform: Platform, upload: Upload) -> None:
    """Raise UploadGone for an upload that was ended or dropped, or UploadExpired past its time.

    So is one whose video was removed: clients that remember it would take it for sent, and send nothing.
    """
    if upload.stage in UNWANTED - {Stage.DONE}:
        raise UploadGone
    if upload.stage is Stage.DONE:
        try:
            with platform.database.reading() as tx:
                tx.videos.access(upload.id)
        except VideoNotFound as error:
            raise UploadGone from error
    if upload.stage in WAITING and upload.expires_at < platform.clock.now():
        raise UploadExpired


def complete_soon(platform: Platform, upload: Upload) -> Upload:
    """Complete an upload that has all bytes; where that can't be done now, upkeep will."""
    try:
        with upload_leases.held(platform, upload.id) as hold:
            return complete(platform, hold.upload)
    except UploadLocked:  # somebody else is at it
        return upload
    except UploadGone:
        with platform.database.transaction() as tx:
            found = tx.uploads.get(upload.id)
        check_alive(platform, found)
        return found


def complete(platform: Platform, upload: Upload) -> Upload:
    """Complete an upload under its lease, as `complete_soon`."""
    try:
        return _complete(platform, upload)
    except NextStreamError as error:
        if not error.retryable:
            raise
        log.warning("upload is completed later", upload_id=upload.id, error=str(error))
        return upload


def expire(platform: Platform, limit: int = 100) -> int:
    """Complete what a killed server left whole, and remove what nobody goes on with; may run twice."""
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        found = tx.uploads.due(now, limit)
        tx.uploads.forget(now - timedelta(seconds=platform.settings.upload_expires_s))
    for upload in found:
        try:
            _clear(platform, upload, now)
        except NextStreamError as error:  # the next one may go better, and this one next time
            log.warning("upload not cleared", upload_id=upload.id, error=str(error))
    return len(found)


def _clear(platform: Platform, upload: Upload, now: datetime) -> None:
    if upload.stage is Stage.COMPLETING:
        try:
            complete_soon(platform, upload)
            return
        except ObjectNotFound:  # a storage that isn't mounted looks like this; one that lost it, too
            if upload.expires_at >= now:
                raise
    with upload_leases.held(platform, upload.id, wait_s=0) as hold:
        if hold.upload.stage is Stage.DROPPED:
            end(platform, hold.upload, None)
        elif hold.upload.stage is upload.stage and hold.upload.expires_at < now:
            end(platform, hold.upload, UploadExpired())


def end(platform: Platform, upload: Upload, error: NextStreamError | None) -> None:
    """End an upload under its lease, by an error or at its client's wish, and remove its bytes.

    It is dropped first, so that upkeep removes what a killed server or a storage that is away leaves.
    """
    with platform.database.transaction() as tx:
        tx.uploads.save(replace(upload, stage=Stage.DROPPED, reserved_bytes=0))
        if error is not None:
            intake.fail(platform, tx, upload.id, error)
        elif not upload.is_partial:
            _cancel(platform, tx, upload)
    try:
        platform.storage.multipart.abort(upload.key, upload.parts)
        platform.storage.remove(upload.key)
    except StorageError as fault:
        log.warning("bytes of an upload are removed later", upload_id=upload.id, error=str(fault))
        return
    with platform.database.transaction() as tx:
        tx.uploads.end(upload, Stage.GONE)


def check_wanted(tx: Transaction, upload: Upload) -> None:
    """Raise UploadGone where the video was removed or cancelled meanwhile."""
    if upload.is_partial:
        return
    try:
        state = tx.videos.get(upload.id).state
    except VideoNotFound as error:
        raise UploadGone from error
    if state is not State.UPLOADING:
        raise UploadGone


def _complete(platform: Platform, upload: Upload) -> Upload:
    """Make the parts the source, and start the work; may run twice, and goes on where it was left."""
    if upload.stage is not Stage.COMPLETING:
        return upload
    if upload.is_partial:
        return _keep(platform, upload)
    if not upload.length:
        with platform.database.transaction() as tx:
            tx.uploads.end(upload, Stage.DONE)  # it ended as its client wanted, with nothing in it
            intake.fail(platform, tx, upload.id, UploadEmpty())
        return replace(upload, stage=Stage.DONE)
    if upload.is_final:
        _check_sources(platform, upload)
        upload = _join(platform, upload)
    platform.storage.multipart.complete(upload.key, upload.parts)
    try:
        with platform.database.transaction() as tx:
            check_wanted(tx, upload)
            tx.uploads.end(upload, Stage.DONE)
            for upload_id in upload.sources:
                tx.uploads.drop(upload_id)  # and upkeep removes their bytes
            video = intake.accept(platform, tx, tx.videos.get(upload.id), upload.length or 0)
    except UploadGone:
        end(platform, upload, None)
        raise
    intake.start(platform, video)
    return replace(upload, stage=Stage.DONE)


def _keep(platform: Platform, upload: Upload) -> Upload:
    """Keep a whole partial upload as an object of its own."""
    if upload.offset:
        platform.storage.multipart.complete(upload.key, upload.parts)
    else:
        platform.storage.put(upload.key, b"", "application/octet-stream")
    kept = replace(upload, stage=Stage.KEPT)
    with platform.database.transaction() as tx:
        tx.uploads.save(kept)
    return kept


def _check_sources(platform: Platform, upload: Upload) -> None:
    """End a final upload, and raise UploadGone, where partial ones expired, or another one took them."""
    try:
        with platform.database.reading() as tx:
            if all(tx.uploads.get(each).stage is Stage.KEPT for each in upload.sources):
                return
    except UploadNotFound:
        pass
    gone = UploadGone(PARTS_GONE)
    end(platform, upload, gone)
    raise gone


def _join(platform: Platform, upload: Upload) -> Upload:
    """Write the bytes of partial uploads one after the other; from the start, if it broke off before."""
    platform.storage.multipart.abort(upload.key, upload.parts)
    upload = replace(upload, parts=type(upload.parts)())
    runs = (platform.storage.stream(paths.partial(upload_id)) for upload_id in upload.sources)
    blocks = (block for run in runs for block in run)
    for parts in platform.storage.multipart.append(upload.key, upload.parts, upload.part_bytes, blocks):
        begun = upload.parts.upload_id is None
        upload = replace(upload, parts=parts)
        if begun:  # so that it can be removed
            with platform.database.transaction() as tx:
                tx.uploads.save(upload)
    return upload


def _cancel(platform: Platform, tx: Transaction, upload: Upload) -> None:
    now = platform.clock.now()
    with suppress(VideoNotFound):
        video = tx.videos.get(upload.id)
        if video.state in lifecycle.ENDED:
            return
        tx.videos.save(lifecycle.move(video, State.CANCELLED, now))
        tx.outbox.add(happen("video.cancelled", video.id, now, video.request_id))
