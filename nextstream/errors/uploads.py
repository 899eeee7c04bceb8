"""Errors of uploads and imports."""

from __future__ import annotations

from nextstream.errors.base import NextStreamError
from nextstream.errors.requests import NotFound


class UploadIncomplete(NextStreamError):
    """The upload ended before all announced bytes had come; send it again."""

    code, status, retryable = "upload_incomplete", 400, True


class UploadEmpty(NextStreamError):
    """The upload holds no bytes; choose a video file."""

    code, status = "upload_empty", 422


class UploadTooLarge(NextStreamError):
    """The file is larger than this server accepts."""

    code, status = "upload_too_large", 413


class UploadNotFound(NotFound):
    """There is no such upload, or it isn't yours."""

    code = "upload_not_found"


class UploadGone(NextStreamError):
    """This upload has ended or expired; start a new one."""

    code, status = "upload_gone", 410


class UploadExpired(UploadGone):
    """The upload wasn't finished in time; start a new one."""

    code = "upload_expired"


class TusVersionRefused(NextStreamError):
    """Send Tus-Resumable: 1.0.0."""

    code, status = "tus_version_refused", 412


class UploadLocked(NextStreamError):
    """Another request is writing this upload just now; try again shortly."""

    code, status, retryable = "upload_locked", 423, True


class OffsetConflict(NextStreamError):
    """The upload goes on at another byte than this request begins with; ask for its offset."""

    code, status = "offset_conflict", 409

    def __init__(self, offset: int) -> None:
        """Take the byte that the upload goes on at."""
        super().__init__()
        self.offset = offset


class ChecksumMismatch(NextStreamError):
    """The bytes don't have the checksum that was sent with them; send them again."""

    code, status, retryable = "checksum_mismatch", 460, True


class QuotaExceeded(NextStreamError):
    """Your account has no room for this file; remove videos, or ask the operator for more."""

    code, status = "quota_exceeded", 413


class TooManyUploads(NextStreamError):
    """Your account has too many uploads under way; finish or cancel one first."""

    code, status, retryable = "too_many_uploads", 429, True


class IdempotencyMismatch(NextStreamError):
    """This Idempotency-Key was used with another request; use a new key for a new request."""

    code, status = "idempotency_mismatch", 422


class RemoteRefused(NextStreamError):
    """The URL gives no file; check that it can be opened without a login."""

    code, status = "remote_refused", 422


class RemoteUnavailable(NextStreamError):
    """The URL's server can't be reached just now."""

    code, status, retryable = "remote_unavailable", 503, True
