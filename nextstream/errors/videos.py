"""Errors of finding and playing videos."""

from __future__ import annotations

from nextstream.errors.base import NextStreamError
from nextstream.errors.media import MediaError
from nextstream.errors.requests import Conflict, NotFound


class VideoNotFound(NotFound):
    """There is no such video, or it isn't yours."""

    code = "video_not_found"


class TicketRefused(NextStreamError):
    """The link to this video is no longer good; ask whoever gave it to you for a new one."""

    code, status = "ticket_refused", 403


class VideoNotReady(NotFound):
    """The video is not playable yet; try again in a few seconds."""

    code, retryable = "video_not_ready", True


class NoDash(NotFound):
    """The video is encrypted with AES-128, which DASH doesn't have; play its master.m3u8 by HLS."""

    code = "no_dash"


class NoVariant(NotFound):
    """This video has no picture with any of these codecs; leave ?codecs= out to get what there is."""

    code = "no_variant"


class KeyUnreadable(NextStreamError):
    """The key of this video can't be read; tell the operator that NEXTSTREAM_SECRET_KEY was changed."""

    code, status = "key_unreadable", 500


class StaleVideo(Conflict):
    """The video changed since it was read."""

    code = "stale_video"


class SubtitlesInvalid(MediaError):
    """The file holds no subtitles that can be read; upload SRT or WebVTT."""

    code = "subtitles_invalid"


class SubtitlesNotFound(NotFound):
    """The video has no such subtitles."""

    code = "subtitles_not_found"
