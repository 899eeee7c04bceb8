"""The streaming service: any frame of a video as a picture."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field

from nextstream.domain import paths
from nextstream.errors import EncoderBusy, MediaError, NotFound, PreconditionFailed, VideoNotReady
from nextstream.services import images
from web import delivery, http, streaming
from web.contract import Answer, Pass, operation

blueprint = Blueprint("images", __name__)
streaming.attend(blueprint)

KEEP = "max-age=3600"  # a re-encode shows the same, a little better or worse


class Wish(BaseModel):
    """Which frame, and how wide."""

    time: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    width: Annotated[int, Field(ge=16, le=images.WIDEST)] = 320


@blueprint.get("/v/<video_id>/thumbnail.<any(jpg, webp):form>")
@blueprint.get("/p/<ticket>/v/<video_id>/thumbnail.<any(jpg, webp):form>")
@operation(
    Pass.TICKET,
    query=Wish,
    sends=("If-None-Match",),
    gives={
        200: Answer(streaming.BYTES, ("image/jpeg", "image/webp"), headers=("ETag",)),
        304: Answer(headers=("ETag",)),
    },
    errors=(EncoderBusy, MediaError, NotFound, PreconditionFailed, VideoNotReady),
)
def get_thumbnail(video_id: str, form: str) -> Response:
    """Give the frame that is shown at a time, decoded now; a browser that knows it costs nothing."""
    wish, platform = http.read_query(Wish), http.platform()
    sharing = streaming.sharing(streaming.admit(video_id))
    if not platform.settings.thumbnails_at_once:
        raise NotFound("This server makes no thumbnails.")
    found = images.find(platform, video_id, wish.time, wish.width)
    response = Response(content_type=paths.mime_type(f".{form}"))
    response.headers["Cache-Control"] = f"{sharing}, {KEEP}"
    response.set_etag(f"{found.etag}-{form}")
    # Only a decode can tell a picture's size, and neither a HEAD nor a 304 is worth one.
    response.automatically_set_content_length = request.method != "HEAD"
    delivery.weigh(response)
    if request.method != "HEAD" and response.status_code == 200:
        response.data = images.make(platform, found, form)
    return response
