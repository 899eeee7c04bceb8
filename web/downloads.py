"""The streaming service: renditions as files to keep."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from nextstream.domain import paths
from nextstream.errors import NotFound, PreconditionFailed, VideoNotReady
from nextstream.services import downloads
from nextstream.services.downloads import Download
from web import delivery, http, streaming
from web.contract import Pass, operation

blueprint = Blueprint("downloads", __name__)
streaming.attend(blueprint)

_NO_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')  # what no system's file names may have


@blueprint.get("/v/<video_id>/download/<name>.<any(mp4, m4a):form>")
@blueprint.get("/p/<ticket>/v/<video_id>/download/<name>.<any(mp4, m4a):form>")
@operation(
    Pass.TICKET,
    "download_rendition",
    sends=streaming.ASKED,
    gives=streaming.given("video/mp4", "audio/mp4", headers=("Content-Disposition",)),
    errors=(NotFound, PreconditionFailed, RequestedRangeNotSatisfiable, VideoNotReady),
)
def get_download(video_id: str, name: str, form: str) -> Response:
    """Give a rung with sound as MP4, or a sound alone as M4A; whole, or a range of it."""
    sharing = streaming.sharing(streaming.admit(video_id))
    found = downloads.find(http.platform(), video_id, name, sound=form == "m4a")
    response = Response(content_type=paths.mime_type(f".{form}"))
    response.headers["Content-Disposition"] = disposition(file_name(found, form))
    response.headers["Cache-Control"] = f"{sharing}, no-cache"  # a re-encode gives another file
    response.set_etag(found.etag)
    start, size_bytes = delivery.offer(response, found.size_bytes)
    if request.method != "HEAD" and response.status_code in (200, 206):
        response.response = downloads.stream(http.platform(), found, start, size_bytes)
        response.direct_passthrough = True
    return response


def file_name(found: Download, form: str) -> str:
    """Name a file by the video's title, and its size where it has a picture."""
    title = _NO_NAME.sub("_", found.video.title).strip(" ._") or found.video.id
    rendition = found.rendition
    side = min(rendition.width, rendition.height)
    return f"{title[:150]} ({side}p).{form}" if rendition.is_video else f"{title[:150]}.{form}"


def disposition(name: str) -> str:
    """Give a Content-Disposition (RFC 6266) that old clients understand, too."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = _NO_NAME.sub("_", folded)  # once more: a wide quotation mark has become a plain one
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
