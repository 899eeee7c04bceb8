"""The streaming service's API: subtitles of a video, by language."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, abort, request
from pydantic import BaseModel, Field

from nextstream.domain import labels, paths
from nextstream.domain.video import Purpose
from nextstream.errors import BadRequest
from nextstream.services import subtitles
from nextstream.services.subtitles import Label
from web import bodies, http, tokens

blueprint = Blueprint("subtitles", __name__, url_prefix="/api/v1/videos/<video_id>/subtitles")

TITLE_MAX = 200


class Which(BaseModel):
    """Whom the subtitles are for: `main`, `captions` (SDH), `forced` or `commentary`."""

    purpose: Purpose = Purpose.MAIN
    title: Annotated[str, Field(max_length=TITLE_MAX)] | None = None


@blueprint.get("/<language>")
def get(video_id: str, language: str) -> Response:
    """Give subtitles as WebVTT."""
    text = subtitles.get(http.platform(), tokens.account(), video_id, _label(language))
    return Response(text, content_type=f"{paths.MIME_TYPES['vtt']}; charset=utf-8")


@blueprint.put("/<language>")
def put(video_id: str, language: str) -> Response:
    """Add subtitles: the body is SRT or WebVTT; they take the place of those there are."""
    account = tokens.account()
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        abort(415, "Send the subtitles themselves as the body, as curl -T FILE does.")
    data = request.get_data()
    added = subtitles.put(http.platform(), account, video_id, _label(language), data)
    return http.answer(bodies.subtitles(added))


@blueprint.delete("/<language>")
def delete(video_id: str, language: str) -> Response:
    """Remove subtitles."""
    subtitles.remove(http.platform(), tokens.account(), video_id, _label(language))
    return Response(status=204)


def _label(language: str) -> Label:
    """Give what the address and the query name; raises BadRequest for what is no language."""
    tag = labels.language(language)
    if tag == labels.UNDETERMINED != language.lower():
        raise BadRequest("The language must be a tag such as en, de or pt-BR.")
    which = http.read_query(Which)
    return Label(tag, which.purpose, which.title)
