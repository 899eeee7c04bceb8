"""Uploads that come in over hours, requests and servers: bytes count when they are durable and noted.

The row in the database says how far an upload is; what lies in the storage beyond that is written
over. So whatever is killed, the offset a client was told never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from nextstream.domain import lifecycle, paths
from nextstream.domain.access import Action, demand, may
from nextstream.domain.accounts import Account
from nextstream.domain.tus import Checksum
from nextstream.domain.uploading import Stage, part_bytes
from nextstream.domain.video import NO_WISHES, State, Wishes
from nextstream.errors import (
    BadRequest,
    ChecksumMismatch,
    OffsetConflict,
    SourceNotVideo,
    StorageError,
    UploadGone,
    UploadLocked,
    UploadNotFound,
    UploadTooLarge,
)
from nextstream.ports import Platform, Transaction, Upload
from nextstream.services import intake, measuring, quotas, upload_ends, upload_leases
from nextstream.services.upload_leases import Hold, Interrupt

log = structlog.get_logger()

LOOK_S = 5.0  # how long a question for the offset waits for a silent writer to note what it has
LONGER = "The request holds more bytes than the upload's announced length."


@dataclass(frozen=True)
class Wish:
    """What a client wants to upload; `partials` are the ids of uploads to be joined.

    `max_bytes` are reserved for a length that isn't known yet, which may then not be more.
    """

    length: int | None
    filename: str = "video"
    title: str | None = None
    metadata: str = ""
    concat: str = ""
    partials: tuple[str, ...] = ()
    source_url: str | None = None
    secret_hash: str | None = None
    expires_s: int | None = None
    max_bytes: int | None = None
    request_id: str | None = None
    asked: Wishes = NO_WISHES

    @property
    def most_bytes(self) -> int | None:
        """Give the bytes that are set aside for it, as far as they are known."""
        return self.max_bytes if self.length is None else self.length


def create(platform: Platform, owner: Account, wish: Wish) -> Upload:
    """Begin an upload, and its video.

    Raises NotAllowed, UploadTooLarge, QuotaExceeded, TooManyUploads, and BadRequest for partial
    uploads that can't be joined.
    """
    intake.check(platform, owner, wish.most_bytes)
    upload = _create(platform, owner, wish)
    if upload.is_final or upload.length == 0:
        upload = upload_ends.complete_soon(platform, upload)
    return upload


def find(platform: Platform, owner: Account, upload_id: str) -> Upload:
    """Give an upload to its owner; raises UploadNotFound to others, and UploadGone past its end.

    Raises NotAllowed and InsufficientScope for who may not upload at all.
    """
    demand(owner, Action.UPLOAD)
    with platform.database.reading() as tx:
        upload = tx.uploads.get(upload_id)
    if not may(owner, Action.UPLOAD, upload.owner_id):
        raise UploadNotFound
    upload_ends.check_alive(platform, upload)
    return upload


def look(platform: Platform, upload: Upload) -> Upload:
    """Give an upload as it stands once a writer without a client has let go; complete a whole one."""
    upload = upload_leases.wait_for_silent(platform, upload.id, LOOK_S)
    return upload_ends.complete_soon(platform, upload) if upload.stage is Stage.COMPLETING else upload


def declare(platform: Platform, upload: Upload, length: int) -> Upload:
    """Fix the length of an upload that began without.

    Raises BadRequest where it is another one, UploadTooLarge, UploadLocked and UploadGone.
    """
    if _has_length(upload, length):
        return upload
    with upload_leases.held(platform, upload.id) as hold, platform.database.transaction() as tx:
        if _has_length(hold.upload, length):  # another request was at it until now
            return hold.upload
        limit = _limit(platform, tx, hold.upload)
        if length > limit:
            raise intake.too_large(limit)
        stage = Stage.COMPLETING if length == hold.upload.offset else Stage.OPEN
        declared = replace(hold.upload, length=length, reserved_bytes=length, stage=stage)
        tx.uploads.save(declared)
    return declared


def _has_length(upload: Upload, length: int) -> bool:
    """Tell whether an upload has this length already; raises where it can't have it any more."""
    if upload.stage is Stage.DROPPED:
        raise UploadGone
    if upload.length is None and length >= upload.offset:
        return False
    if upload.length != length:
        raise BadRequest("The upload's length can't be changed.")
    return True


def write(
    platform: Platform,
    upload: Upload,
    offset: int,
    blocks: Iterable[bytes],
    size_bytes: int | None,
    checksum: Checksum | None = None,
    interrupt: Interrupt = lambda: None,
) -> Upload:
    """Add bytes from `offset` on, and give the upload with all that is durable; complete it if whole.

    `blocks` may end early: what came counts. Raises OffsetConflict, UploadLocked, UploadTooLarge,
    ChecksumMismatch (then nothing of it counts), SourceNotVideo (then the upload is gone), UploadGone.
    """
    with upload_leases.held(platform, upload.id, interrupt) as hold:
        upload = hold.upload
        if upload.stage is Stage.DROPPED:
            raise UploadGone
        if offset != upload.offset:
            raise OffsetConflict(upload.offset)
        if None not in (size_bytes, upload.length) and offset + size_bytes > upload.length:  # type: ignore[operator]  # not None
            raise UploadTooLarge(LONGER)
        if upload.stage is Stage.OPEN and upload.length != upload.offset:
            try:
                upload = _append(platform, hold, blocks, checksum)
            except SourceNotVideo as error:
                upload_ends.end(platform, upload, error)
                raise
        if upload.offset == upload.length and upload.stage is not Stage.DONE:
            return upload_ends.complete(platform, upload)
    if hold.stop:
        raise UploadLocked("Another request took this upload over; ask for its offset.")
    return upload


def after(blocks: Iterable[bytes], skip_bytes: int) -> Iterator[bytes]:
    """Give the blocks from a byte on."""
    for block in blocks:
        if skip_bytes < len(block):
            yield block[skip_bytes:]
        skip_bytes = max(0, skip_bytes - len(block))


def terminate(platform: Platform, upload: Upload) -> None:
    """End an upload at its client's wish; its video is cancelled, unless it has all bytes already."""
    if upload.stage is Stage.DONE:
        with suppress(UploadNotFound), platform.database.transaction() as tx:
            tx.uploads.hide(upload.id)
        return
    with upload_leases.held(platform, upload.id) as hold:
        upload_ends.end(platform, hold.upload, None)


def _create(platform: Platform, owner: Account, wish: Wish) -> Upload:
    with platform.database.transaction() as tx:
        length = _joined_length(tx, owner, wish) if wish.partials else wish.length
        # The partial uploads of a final one have reserved its bytes already.
        quotas.check(platform, tx, owner.id, 0 if wish.partials else wish.most_bytes)
        upload = _make(platform, owner, wish, length)
        if not upload.is_partial:
            about = (wish.filename, wish.title, wish.request_id, wish.asked)
            video = intake.add_video(platform, tx, owner.id, *about)
            tx.videos.save(lifecycle.move(video, State.UPLOADING, platform.clock.now()))
            upload = replace(upload, id=video.id, key=paths.source(video.id))
        tx.uploads.add(upload)
    return upload


def _make(platform: Platform, owner: Account, wish: Wish, length: int | None) -> Upload:
    now, upload_id = platform.clock.now(), paths.new_id()
    largest = platform.settings.upload_max_bytes
    return Upload(
        id=upload_id,
        owner_id=owner.id,
        key=paths.partial(upload_id),
        created_at=now,
        expires_at=now + timedelta(seconds=wish.expires_s or platform.settings.upload_expires_s),
        part_bytes=part_bytes(largest if length is None else length),
        length=length,
        stage=Stage.COMPLETING if wish.partials or length == 0 else Stage.OPEN,
        reserved_bytes=0 if wish.partials else wish.most_bytes or 0,
        metadata=wish.metadata,
        concat=wish.concat,
        sources=wish.partials,
        source_url=wish.source_url,
        secret_hash=wish.secret_hash,
        request_id=wish.request_id,
    )


def _joined_length(tx: Transaction, owner: Account, wish: Wish) -> int:
    """Give the length of partial uploads together; raises BadRequest where one isn't whole."""
    length = 0
    for upload_id in wish.partials:
        try:
            part = tx.uploads.get(upload_id)
        except UploadNotFound as error:
            raise BadRequest("One of the partial uploads doesn't exist.") from error
        if part.owner_id != owner.id or not part.is_partial or part.stage is not Stage.KEPT:
            raise BadRequest("One of the partial uploads is not complete.")
        length += part.offset
    return length


def _append(
    platform: Platform, hold: Hold, blocks: Iterable[bytes], checksum: Checksum | None
) -> Upload:
    """Write blocks, and note what is durable as it grows, or at the end where a checksum must fit."""
    noted = grown = hold.upload
    checked = _check_blocks(platform, hold, blocks, checksum)
    checked = measuring.count_incoming(platform, checked, "parts")
    for parts in platform.storage.multipart.append(noted.key, noted.parts, noted.part_bytes, checked):
        grown = replace(noted, parts=parts)
        if checksum is None or grown.offset == noted.offset:
            noted = _note(platform, hold, noted, grown)
    if checksum is not None:
        if not checksum.fits():
            raise ChecksumMismatch
        noted = _note(platform, hold, noted, grown)
    return noted


def _check_blocks(
    platform: Platform, hold: Hold, blocks: Iterable[bytes], checksum: Checksum | None
) -> Iterator[bytes]:
    """Pass blocks on as long as this request may write, and refuse what is too much or no video."""
    offset = hold.upload.offset
    with platform.database.reading() as tx:
        limit = _limit(platform, tx, hold.upload)
    for block in blocks:
        hold.hear()
        hold.check()
        if offset == 0 and not hold.upload.is_partial:
            intake.sniff(block)
        offset += len(block)
        if offset > limit:
            raise UploadTooLarge(LONGER) if hold.upload.length else intake.too_large(limit)
        if checksum is not None:
            checksum.update(block)
        yield block
        if hold.stop:
            return


def _limit(platform: Platform, tx: Transaction, upload: Upload) -> int:
    """Give the most bytes that an upload may have."""
    if upload.length is not None:
        return upload.length
    if upload.secret_hash and upload.reserved_bytes:
        return upload.reserved_bytes
    room = quotas.room_bytes(platform, tx, upload.owner_id)
    return min(platform.settings.upload_max_bytes, upload.offset + room)


def _note(platform: Platform, hold: Hold, noted: Upload, grown: Upload) -> Upload:
    """Note what is durable, and only then remove the tail before.

    Raises ClaimLost, UploadGone, and UploadTooLarge where other uploads filled the quota meanwhile.
    """
    hold.check()
    is_whole = grown.offset == grown.length
    grown = replace(
        grown,
        stage=Stage.COMPLETING if is_whole else Stage.OPEN,
        expires_at=_expires_at(platform, platform.clock.now()),
    )
    with platform.database.transaction() as tx:
        upload_ends.check_wanted(tx, grown)
        limit = _limit(platform, tx, noted)
        if grown.offset > limit:
            raise intake.too_large(limit)
        tx.uploads.save(grown)
    if noted.parts.tail_key and noted.parts.tail_key != grown.parts.tail_key:
        with suppress(StorageError):  # it goes with the others when the upload is complete
            platform.storage.remove(noted.parts.tail_key)
    return grown


def _expires_at(platform: Platform, now: datetime) -> datetime:
    return now + timedelta(seconds=platform.settings.upload_expires_s)
