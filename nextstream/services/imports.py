"""Videos that are fetched from a URL: asked for by a request, fetched by a worker, resumed by range."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote

import structlog

from nextstream.domain import remote_urls
from nextstream.domain.accounts import Account
from nextstream.domain.uploading import Stage
from nextstream.errors import (
    NextStreamError,
    NotAllowed,
    OffsetConflict,
    QueueUnavailable,
    RemoteUnavailable,
    UploadGone,
    UploadLocked,
    UploadNotFound,
    UploadTooLarge,
    VideoNotFound,
)
from nextstream.ports import Platform, SpanKind, Upload
from nextstream.services import resumable, upload_ends, upload_leases

log = structlog.get_logger()

# Beyond the longest pause before a worker tries again: then its message was lost, or its worker.
UNHEARD = timedelta(seconds=600)


def begin(platform: Platform, owner: Account, url: str, wish: resumable.Wish) -> Upload:
    """Note a file that is to be fetched, and send a worker for it; gives the upload of its video.

    Raises NotAllowed where imports are off, and BadRequest for a URL that can't be meant.
    """
    if not platform.settings.imports:
        raise NotAllowed("This server fetches no files from elsewhere.")
    parts = remote_urls.check(url, platform.settings.ports_of_imports)
    name = wish.filename or unquote(parts.path.rpartition("/")[2]) or "video"
    wish = replace(wish, length=None, filename=name, source_url=url)
    upload = resumable.create(platform, owner, wish)
    send(platform, upload)
    return upload


def send(platform: Platform, upload: Upload) -> None:
    """Send a worker for an import; a queue that is away delays it until `send_lost` does."""
    try:
        platform.dispatcher.fetch(upload.id, upload.request_id)
    except QueueUnavailable as error:
        log.warning("import waits, the queue is away", upload_id=upload.id, error=str(error))


def send_lost(platform: Platform, limit: int = 100) -> int:
    """Send workers again for imports that none is at, and count them; may run twice.

    One that waits behind others is sent for twice, which costs a look at its row.
    """
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        found = tx.uploads.unfetched(now, now - UNHEARD, limit)
        for upload in found:
            tx.uploads.note_sent(upload.id, now)
    for upload in found:
        log.warning("message of an import lost, sent again", upload_id=upload.id)
        send(platform, upload)
    return len(found)


def fetch(platform: Platform, upload_id: str, *, last_try: bool) -> None:
    """Fetch a file from where it broke off before; raises RemoteUnavailable where that may help again.

    With `last_try`, and for an answer that won't change, the video fails with a sentence.
    """
    try:
        with platform.database.transaction() as tx:
            tx.uploads.note_sent(upload_id, platform.clock.now())
            upload = tx.uploads.get(upload_id)
    except UploadNotFound:
        return
    if upload.stage is not Stage.OPEN or upload.source_url is None:
        return
    try:
        _fetch(platform, upload, upload.source_url)
    except (UploadGone, UploadLocked, OffsetConflict):  # cancelled, or another worker fetches it
        return
    except NextStreamError as error:
        if error.retryable and not last_try:
            raise
        with suppress(UploadGone), upload_leases.held(platform, upload_id) as hold:
            upload_ends.end(platform, hold.upload, error)


def _fetch(platform: Platform, upload: Upload, url: str) -> None:
    step = platform.tracer.span(
        "fetch", _origin(platform, upload), SpanKind.CONSUMER, upload_id=upload.id
    )
    with step, platform.remote.open(url, upload.offset) as file:
        if file.size_bytes is not None:
            if file.size_bytes > platform.settings.upload_max_bytes:
                raise UploadTooLarge
            upload = resumable.declare(platform, upload, file.size_bytes)
        skip, blocks = upload.offset - file.offset, file.blocks
        if skip:  # its server can't give a part of a file
            blocks = resumable.after(blocks, skip)
        before = upload.offset
        upload = resumable.write(platform, upload, before, blocks, None)
    if file.size_bytes is None:  # the end of the answer is the end of the file
        upload = resumable.declare(platform, upload, upload.offset)
        upload_ends.complete_soon(platform, upload)
    elif upload.offset < file.size_bytes:
        raise RemoteUnavailable(detail=f"broke off at {upload.offset} of {file.size_bytes} bytes")


def _origin(platform: Platform, upload: Upload) -> str | None:
    """Give the trace that an import is a part of: that of the request which asked for it."""
    with suppress(VideoNotFound), platform.database.transaction() as tx:
        return tx.videos.get(upload.id).traceparent
    return None
