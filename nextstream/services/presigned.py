"""Uploads whose parts a browser sends to S3 itself; the server names the key and looks at what came."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from nextstream.domain import sniffing
from nextstream.domain.accounts import Account
from nextstream.domain.uploading import Stage
from nextstream.errors import (
    NextStreamError,
    NotFound,
    ObjectNotFound,
    UploadGone,
    UploadIncomplete,
    UploadNotFound,
)
from nextstream.ports import Parts, Platform, Presigning, SentPart, Upload
from nextstream.services import intake, quotas, resumable, upload_ends, upload_leases

SIGNED_S = 900  # for one part; a client asks for each when it is about to send it
PARTS = 10_000  # S3's limit


def create(platform: Platform, owner: Account, wish: resumable.Wish) -> Upload:
    """Begin an upload straight to the storage; raises NotFound where the storage takes none."""
    intake.check(platform, owner, wish.length)
    storage = _storage(platform)
    upload = resumable.create(platform, owner, wish)
    if upload.parts.upload_id is None:
        with upload_leases.held(platform, upload.id) as hold:
            upload = replace(hold.upload, parts=storage.begin(upload.key))
            with platform.database.transaction() as tx:
                tx.uploads.save(upload)
    return upload


def sign(platform: Platform, upload: Upload, number: int) -> str:
    """Give the URL for one part; raises NotFound for a number that S3 doesn't have."""
    storage = _storage(platform)
    if not 1 <= number <= PARTS or upload.stage is not Stage.OPEN or upload.parts.upload_id is None:
        raise NotFound
    return storage.sign(upload.key, upload.parts, number, SIGNED_S)


def sent(platform: Platform, upload: Upload) -> Sequence[SentPart]:
    """Give the parts that have come, as the storage knows them."""
    storage = _storage(platform)
    if upload.parts.upload_id is None:  # it comes in another way
        raise UploadNotFound
    return storage.sent(upload.key, upload.parts)


def complete(platform: Platform, upload: Upload) -> Upload:
    """Join the parts that the storage has, look at size and first bytes, and accept the video or not.

    Raises UploadIncomplete where a part in between is missing, UploadTooLarge and SourceNotVideo; the
    last two end the upload. May run twice, and goes on where it was left.
    """
    if upload.stage is Stage.OPEN:
        with suppress(UploadGone):  # another request was faster, and the row says how it ended
            _accept(platform, upload)
    return upload_ends.complete_soon(platform, upload)


def _accept(platform: Platform, upload: Upload) -> None:
    with upload_leases.held(platform, upload.id) as hold:
        if hold.upload.stage is not Stage.OPEN:
            return
        upload = _gather(platform, hold.upload)
        try:
            _reserve(platform, hold.upload, upload)
            _inspect(platform, upload)
        except NextStreamError as error:
            if not error.retryable:
                upload_ends.end(platform, upload, error)
            raise
        with platform.database.transaction() as tx:
            tx.uploads.save(replace(upload, stage=Stage.COMPLETING))


def _gather(platform: Platform, upload: Upload) -> Upload:
    """Give the upload with the parts that have come; what the client says of them doesn't count."""
    try:
        found = sent(platform, upload)
    except ObjectNotFound:
        if upload.length is None:
            raise
        return upload  # its parts were joined already, and then something broke off
    if not found or [part.number for part in found] != list(range(1, len(found) + 1)):
        raise UploadIncomplete("Some parts of the file are missing; send them, and complete it again.")
    size_bytes = sum(part.size_bytes for part in found)
    parts = Parts(size_bytes, upload.parts.upload_id, tuple(part.etag for part in found))
    return replace(upload, parts=parts, length=size_bytes, reserved_bytes=size_bytes)


def _reserve(platform: Platform, before: Upload, upload: Upload) -> None:
    """Note the parts before they are joined, where their owner has room for them."""
    with platform.database.transaction() as tx:
        room_bytes = quotas.room_bytes(platform, tx, upload.owner_id) + before.reserved_bytes
        if upload.offset > min(room_bytes, platform.settings.upload_max_bytes):
            raise intake.too_large(platform.settings.upload_max_bytes)
        tx.uploads.save(upload)


def _inspect(platform: Platform, upload: Upload) -> None:
    platform.storage.multipart.complete(upload.key, upload.parts)
    head = platform.storage.stream(upload.key, 0, sniffing.ENOUGH_BYTES)
    intake.sniff(b"".join(head))


def _storage(platform: Platform) -> Presigning:
    multipart = platform.storage.multipart
    if not isinstance(multipart, Presigning):
        raise NotFound("Files can't be sent straight to this server's storage; upload them by tus.")
    return multipart
