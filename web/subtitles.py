"""The streaming service's API: subtitles of a video, by language."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, abort, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from nextstream.domain import labels, paths
from nextstream.domain.access import Action
from nextstream.domain.source import Purpose
from nextstream.errors import BadRequest, SubtitlesInvalid, SubtitlesNotFound, WrongState
from nextstream.services import subtitles
from nextstream.services.subtitles import Label
from web import bodies, http, shapes, tokens
from web.contract import Answer, Media, operation

blueprint = Blueprint("subtitles", __name__, url_prefix="/api/v1/videos/<video_id>/subtitles")

TITLE_MAX = 200
SUBTITLES = ("text/vtt", "application/x-subrip", "application/octet-stream")


class Which(BaseModel):
    """Whom the subtitles are for: `main`, `captions` (SDH), `forced` or `commentary`."""

    purpose: Purpose = Purpose.MAIN
    title: Annotated[str, Field(max_length=TITLE_MAX)] | None = None


@blueprint.get("/<language>")
@operation(
    Action.READ_VIDEO,
    "get_subtitles",
    query=Which,
    gives={200: Answer({"type": "string"}, ("text/vtt",))},
    errors=(SubtitlesNotFound,),
)
def get(video_id: str, language: str) -> Response:
    """Give subtitles as WebVTT."""
    text = subtitles.get(http.platform(), tokens.account(), video_id, _label(language))
    return Response(text, content_type=f"{paths.MIME_TYPES['vtt']}; charset=utf-8")


@blueprint.put("/<language>")
@operation(
    Action.CHANGE_VIDEO,
    "put_subtitles",
    query=Which,
    body=Media(SUBTITLES),
    gives={200: shapes.Subtitles},
    errors=(RequestEntityTooLarge, SubtitlesInvalid, UnsupportedMediaType, WrongState),
)
def put(video_id: str, language: str) -> Response:
    """Add subtitles: the body is SRT or WebVTT; they take the place of those there are."""
    account = tokens.account()
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        abort(415, "Send the subtitles themselves as the body, as curl -T FILE does.")
    data = http.read_body()
    added = subtitles.put(http.platform(), account, video_id, _label(language), data)
    return http.answer(bodies.subtitles(added))


@blueprint.delete("/<language>")
@operation(
    Action.CHANGE_VIDEO,
    "delete_subtitles",
    query=Which,
    gives={204: None},
    errors=(SubtitlesNotFound, WrongState),
)
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
