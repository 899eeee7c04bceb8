"""Errors of sources, and of working on them."""

from __future__ import annotations

from nextstream.errors.base import NextStreamError


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
