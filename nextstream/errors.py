"""Every error NextStream raises on purpose: a code, an HTTP status and whether a retry can help.

The docstring of a class is its default message, written for the person who has to act on it.
"""

from __future__ import annotations

import inspect
from typing import ClassVar


class NextStreamError(Exception):
    """Something went wrong inside NextStream."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    retry_after_s: float = 2.0  # told where a retry can help

    def __init__(self, message: str | None = None, *, detail: str | None = None) -> None:
        """Take a message for the user and, apart from it, a detail for the operator."""
        self.message = message or inspect.cleandoc(type(self).__doc__ or "")
        self.detail = detail
        super().__init__(self.message if detail is None else f"{self.message} ({detail})")


class BadRequest(NextStreamError):
    """The request can't be understood; check it against the API's description."""

    code, status = "bad_request", 400


class NotAuthenticated(NextStreamError):
    """Log in first, or send a valid access token."""

    code, status = "not_authenticated", 401


class InvalidToken(NotAuthenticated):
    """The token has expired or isn't valid; log in again."""

    code = "invalid_token"


class BadCredentials(NextStreamError):
    """The name or the password is wrong."""

    code, status = "bad_credentials", 401


class WrongPassword(BadCredentials):
    """The current password is wrong."""

    code, status = "wrong_password", 403  # the token is good, so this is no 401


class NotAllowed(NextStreamError):
    """Your account may not do this."""

    code, status = "not_allowed", 403


class InsufficientScope(NotAllowed):
    """Your token or key wasn't made for this; take one with the scope it needs."""

    code = "insufficient_scope"


class TooManyRequests(NextStreamError):
    """Too many requests; wait a little and try again."""

    code, status, retryable = "too_many_requests", 429, True

    def __init__(self, retry_after_s: float, message: str | None = None) -> None:
        """Take the seconds to wait."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotFound(NextStreamError):
    """There is nothing at this address."""

    code, status = "not_found", 404


class VideoNotFound(NotFound):
    """There is no such video, or it isn't yours."""

    code = "video_not_found"


class TicketRefused(NextStreamError):
    """The link to this video is no longer good; ask whoever gave it to you for a new one."""

    code, status = "ticket_refused", 403


class PreconditionFailed(NextStreamError):
    """It has changed since you read it; read it again, and send its new ETag in If-Match."""

    code, status = "precondition_failed", 412


class VideoNotReady(NotFound):
    """The video is not playable yet; try again in a few seconds."""

    code, retryable = "video_not_ready", True


class Conflict(NextStreamError):
    """Something else changed this at the same time; read it again and repeat."""

    code, status, retryable = "conflict", 409, True


class StaleVideo(Conflict):
    """The video changed since it was read."""

    code = "stale_video"


class WrongState(NextStreamError):
    """The video's state doesn't allow this."""

    code, status = "wrong_state", 409


class AccountExists(NextStreamError):
    """This name is taken; choose another."""

    code, status = "account_exists", 409


class AccountNotFound(NotFound):
    """There is no such account."""

    code = "account_not_found"


class SessionNotFound(NotFound):
    """There is no such session, or it isn't yours."""

    code = "session_not_found"


class KeyNotFound(NotFound):
    """There is no such API key, or it isn't yours."""

    code = "key_not_found"


class TooManyKeys(NextStreamError):
    """The account has as many API keys as it may have; revoke one first."""

    code, status = "too_many_keys", 409


class WeakPassword(NextStreamError):
    """The password must have at least 8 characters."""

    code, status = "weak_password", 422


class RegistrationClosed(NextStreamError):
    """Registration is closed here; ask the operator for an account."""

    code, status = "registration_closed", 403


class UploadIncomplete(NextStreamError):
    """The upload ended before all announced bytes had come; send it again."""

    code, status, retryable = "upload_incomplete", 400, True


class UploadEmpty(NextStreamError):
    """The upload holds no bytes; choose a video file."""

    code, status = "upload_empty", 422


class UploadTooLarge(NextStreamError):
    """The file is larger than this server accepts."""

    code, status = "upload_too_large", 413


class WebhookNotFound(NotFound):
    """There is no such webhook, or it isn't yours."""

    code = "webhook_not_found"


class TooManyWebhooks(NextStreamError):
    """You have as many webhooks as an account may have; remove one first."""

    code, status = "too_many_webhooks", 409


class AddressRefused(NextStreamError):
    """This address can't be used; give a public http or https address."""

    code, status = "address_refused", 422


class OutsideUnavailable(NextStreamError):
    """The other side can't be reached just now."""

    code, status, retryable = "outside_unavailable", 502, True


class UploadNotFound(NotFound):
    """There is no such upload, or it isn't yours."""

    code = "upload_not_found"


class UploadGone(NextStreamError):
    """This upload has ended or expired; start a new one."""

    code, status = "upload_gone", 410


class UploadExpired(UploadGone):
    """The upload wasn't finished in time; start a new one."""

    code = "upload_expired"


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


class ServerBusy(NextStreamError):
    """The server takes as many uploads as it can just now; try again shortly."""

    code, status, retryable = "server_busy", 503, True


class StorageError(NextStreamError):
    """The storage didn't do what was asked."""

    code, status = "storage_error", 502


class StorageUnavailable(StorageError):
    """The storage can't be reached just now."""

    code, status, retryable = "storage_unavailable", 503, True


class ObjectNotFound(StorageError):
    """The storage has no object of this name."""

    code, status = "object_not_found", 404


class DatabaseUnavailable(NextStreamError):
    """The database can't be reached just now."""

    code, status, retryable = "database_unavailable", 503, True


class EventsUnavailable(NextStreamError):
    """The event stream can't be reached just now."""

    code, status, retryable = "events_unavailable", 503, True


class QueueUnavailable(NextStreamError):
    """The task queue can't be reached just now."""

    code, status, retryable = "queue_unavailable", 503, True


class ServiceUnavailable(NextStreamError):
    """A service behind the gateway doesn't answer; try again shortly."""

    code, status, retryable = "service_unavailable", 503, True


class TooManyStreams(NextStreamError):
    """Too many viewers follow videos here; ask for the video itself now and then instead."""

    code, status, retryable = "too_many_streams", 503, True


class ServiceBroken(NextStreamError):
    """A service behind the gateway gave no whole answer; try again shortly."""

    code, status, retryable = "service_broken", 502, True


class ServiceTimeout(NextStreamError):
    """A service behind the gateway took too long to answer."""

    code, status, retryable = "service_timeout", 504, True


class MediaError(NextStreamError):
    """The video can't be processed."""

    code, status = "media_error", 422


class SourceNotVideo(MediaError):
    """The file is not a video or audio file that can be read; upload another one."""

    code = "source_not_video"


class SourceTruncated(MediaError):
    """The file ends before the video does; upload it again, whole."""

    code = "source_truncated"


class SourceTooLong(MediaError):
    """The video is longer than this server accepts."""

    code = "source_too_long"


class SourceTooLarge(MediaError):
    """The picture is larger than this server accepts."""

    code = "source_too_large"


class SubtitlesInvalid(MediaError):
    """The file holds no subtitles that can be read; upload SRT or WebVTT."""

    code = "subtitles_invalid"


class SubtitlesNotFound(NotFound):
    """The video has no such subtitles."""

    code = "subtitles_not_found"


class SourceHasGap(MediaError):
    """The picture stands still for longer than this server accepts; the file is probably damaged."""

    code = "source_has_gap"


class SourceTooFast(MediaError):
    """The video has more frames per second than this server accepts."""

    code = "source_too_fast"


class SourceTooManyStreams(MediaError):
    """The file holds more tracks than this server accepts."""

    code = "source_too_many_streams"


class SourceRefused(MediaError):
    """The file is a playlist, a script or of a kind that isn't accepted; upload the video itself."""

    code = "source_refused"


class SourceEncrypted(MediaError):
    """The file is encrypted; upload one without copy protection."""

    code = "source_encrypted"


class SourceUnsupported(MediaError):
    """The file's codec can't be decoded here; convert it, to H.264 and AAC for example."""

    code = "source_unsupported"


class SourceEmpty(MediaError):
    """No picture and no sound could be decoded from the file; upload another one."""

    code = "source_empty"


class EncoderTimeout(MediaError):
    """The encode took far too long and was stopped; try again, and tell the operator if it stays so."""

    code, status, retryable = "encoder_timeout", 500, True


class EncoderFailed(MediaError):
    """The encoder failed on this video; try again, and tell the operator if it stays so."""

    code, status, retryable = "encoder_failed", 500, True


class EncoderBusy(NextStreamError):
    """Too many pictures are asked for just now; try again in a few seconds."""

    code, status, retryable = "encoder_busy", 503, True


class ClaimLost(NextStreamError):
    """Another worker has taken this piece over, so its result is thrown away."""

    code, status = "claim_lost", 409


class ShiftOver(NextStreamError):
    """The worker is stopped, and the piece would not end in time; another worker begins it anew."""

    code, status, retryable = "shift_over", 503, True


class WorkerLost(MediaError):
    """The workers that had this video vanished, one after the other; tell the operator."""

    code, status, retryable = "worker_lost", 500, True


class ScratchFull(NextStreamError):
    """The worker has no room for another piece."""

    code, status, retryable = "scratch_full", 503, True


class Misconfigured(NextStreamError):
    """A setting is wrong."""

    code = "misconfigured"
