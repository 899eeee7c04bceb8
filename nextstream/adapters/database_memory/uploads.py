"""The uploads in memory."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from nextstream.adapters.database_memory.rows import Rows
from nextstream.domain.uploading import ENDED, UNWANTED, WAITING, Stage
from nextstream.domain.video import State
from nextstream.errors import ClaimLost, Conflict, UploadNotFound
from nextstream.ports import Upload, Usage

NO_ROOM = (State.FAILED, State.CANCELLED)


class MemoryUploads:
    """The uploads of a transaction."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._uploads = rows.uploads

    def add(self, upload: Upload) -> None:
        """Store a new upload."""
        if upload.id in self._uploads:
            raise Conflict(detail=upload.id)
        self._uploads[upload.id] = upload

    def get(self, upload_id: str) -> Upload:
        """Give an upload."""
        try:
            return self._uploads[upload_id]
        except KeyError:
            raise UploadNotFound from None

    def find_secret(self, secret_hash: str) -> Upload | None:
        """Give the upload of a direct URL."""
        return next((u for u in self._uploads.values() if u.secret_hash == secret_hash), None)

    def usage(self, owner_id: str) -> Usage:
        """Count what an owner has."""
        uploads = [
            u for u in self._uploads.values() if u.owner_id == owner_id and u.stage not in UNWANTED
        ]
        videos = [
            v for v in self._rows.videos.values() if v.owner_id == owner_id and v.state not in NO_ROOM
        ]
        stored = sum(v.size_bytes or 0 for v in videos)
        seconds = sum(float(v.source.duration_s) for v in videos if v.source)
        return Usage(
            stored + sum(max(u.reserved_bytes, u.offset) for u in uploads), seconds, len(uploads)
        )

    def take(self, upload_id: str, now: datetime, lease_until: datetime) -> Upload | None:
        """Take the lease."""
        upload = self._uploads.get(upload_id)
        if upload is None or upload.stage in ENDED or not _is_free(upload, now):
            return None
        return self._keep(
            replace(upload, token=secrets.token_hex(16), lease_until=lease_until, asked=False)
        )

    def ask(self, upload_id: str) -> None:
        """Ask the holder of the lease to stop."""
        if upload_id in self._uploads:
            self._keep(replace(self._uploads[upload_id], asked=True))

    def beat(self, tokens: Collection[str], lease_until: datetime) -> dict[str, bool]:
        """Lengthen leases, and tell whose holder is asked to stop."""
        held = [u for u in self._uploads.values() if u.token in tokens]
        for upload in held:
            self._keep(replace(upload, lease_until=lease_until))
        return {str(upload.token): upload.asked for upload in held}

    def save(self, upload: Upload) -> None:
        """Store a changed upload under its lease."""
        held = self._held(upload)
        self._keep(replace(upload, lease_until=held.lease_until, asked=held.asked))

    def end(self, upload: Upload, stage: Stage) -> None:
        """Store an upload's end under its lease."""
        free = replace(self._held(upload), token=None, lease_until=None, asked=False)
        self._keep(replace(free, stage=stage, reserved_bytes=0))

    def hide(self, upload_id: str) -> None:
        """Note an upload as gone."""
        if upload_id in self._uploads:
            self._keep(replace(self._uploads[upload_id], stage=Stage.GONE, reserved_bytes=0))

    def drop(self, upload_id: str) -> None:
        """Note that nobody wants an upload."""
        upload = self._uploads.get(upload_id)
        if upload is not None and upload.stage not in ENDED:
            self._keep(replace(upload, stage=Stage.DROPPED, reserved_bytes=0, asked=True))

    def note_sent(self, upload_id: str, now: datetime) -> None:
        """Note that a worker was sent for an import."""
        if upload_id in self._uploads:
            self._keep(replace(self._uploads[upload_id], sent_at=now))

    def release(self, upload: Upload) -> None:
        """Let a lease go."""
        held = self._uploads.get(upload.id)
        if held is not None and held.token == upload.token:
            self._keep(replace(held, token=None, lease_until=None, asked=False))

    def due(self, now: datetime, limit: int) -> Sequence[Upload]:
        """Give uploads that are completing, dropped, or past their time."""
        free = [upload for upload in self._uploads.values() if _is_free(upload, now)]
        now_due = (Stage.COMPLETING, Stage.DROPPED)
        late = [u for u in free if u.stage in now_due or (u.stage in WAITING and u.expires_at < now)]
        return late[:limit]

    def unfetched(self, now: datetime, before: datetime, limit: int) -> Sequence[Upload]:
        """Give open imports that wait for a worker."""
        imports = [u for u in self._uploads.values() if u.stage is Stage.OPEN and u.source_url]
        unsent = [u for u in imports if _is_free(u, now) and (u.sent_at or u.created_at) < before]
        return unsent[:limit]

    def forget(self, before: datetime) -> int:
        """Remove the rows of uploads that ended long ago."""
        old = [u.id for u in self._uploads.values() if u.stage in ENDED and u.expires_at < before]
        for upload_id in old:
            del self._uploads[upload_id]
        return len(old)

    def _held(self, upload: Upload) -> Upload:
        held = self._uploads.get(upload.id)
        if held is None or held.token is None or held.token != upload.token:
            raise ClaimLost
        return held

    def _keep(self, upload: Upload) -> Upload:
        self._uploads[upload.id] = upload
        return upload


def _is_free(upload: Upload, now: datetime) -> bool:
    return upload.token is None or (upload.lease_until is not None and upload.lease_until < now)
