"""What users do with encodes: cancel, retry, encode anew; and the workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import AfterValidator, Field

from nextstream.domain import ladder
from nextstream.domain.access import Action
from nextstream.domain.video import Encryption, Options, Video
from nextstream.errors import WrongState
from nextstream.services import encodes, fleet
from web import bodies, http, idempotency, shapes, tokens, videos
from web.contract import operation

blueprint = Blueprint("encodes", __name__, url_prefix="/api/v1")

PRESETS = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
]


def _one_of(names: Sequence[str]) -> Any:
    return Field(json_schema_extra={"enum": list(names)})


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"must be one of {', '.join(PRESETS)}")
    return name


def _codec(name: str) -> str:
    known = [codec.name for codec in ladder.CODECS]
    if name not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return name


Height = Annotated[int, Field(ge=64, le=4320, multiple_of=2), http.WHOLE]
Codec = Annotated[str, AfterValidator(_codec), _one_of([codec.name for codec in ladder.CODECS])]


class EncodeWish(http.Body):
    """What the next encode does differently from the server's settings."""

    heights: Annotated[list[Height], Field(min_length=1, max_length=10)] | None = None
    preset: Annotated[str, AfterValidator(_preset), _one_of(PRESETS)] | None = None
    crf: Annotated[int, Field(ge=10, le=51), http.WHOLE] | None = None
    codecs: Annotated[list[Codec], Field(min_length=1)] | None = None
    encryption: Annotated[Encryption, Field(strict=False)] | None = None


@blueprint.post("/videos/<video_id>/cancel")
@operation(Action.CHANGE_VIDEO, "cancel_encode", gives={200: shapes.Video}, errors=(WrongState,))
def cancel(video_id: str) -> Response:
    """End a video's encode, and remove what it stored; the source stays."""
    return _answer(encodes.cancel(http.platform(), tokens.account(), video_id))


@blueprint.post("/videos/<video_id>/retry")
@operation(Action.CHANGE_VIDEO, "retry_encode", gives={202: shapes.Video}, errors=(WrongState,))
@idempotency.once
def retry(video_id: str) -> Response:
    """Do again what failed."""
    return _answer(encodes.retry(http.platform(), tokens.account(), video_id), 202)


@blueprint.post("/videos/<video_id>/encodes")
@operation(
    Action.CHANGE_VIDEO,
    "reencode_video",
    body=EncodeWish,
    gives={202: shapes.Video},
    errors=(WrongState,),
)
@idempotency.once
def reencode(video_id: str) -> Response:
    """Encode a video anew; what there is plays until that is ready."""
    account, wish = tokens.account(), http.read_json(EncodeWish)
    heights = tuple(wish.heights) if wish.heights else None
    codecs = tuple(wish.codecs) if wish.codecs else None
    options = Options(heights, wish.preset, wish.crf, codecs, wish.encryption)
    return _answer(encodes.reencode(http.platform(), account, video_id, options), 202)


@blueprint.get("/workers")
@operation(Action.OPERATE, gives={200: shapes.WorkerList})
def list_workers() -> Response:
    """List the workers that encode, to operators."""
    found = fleet.page(http.platform(), tokens.account())
    return http.answer({"items": [bodies.worker(each) for each in found]})


def _answer(video: Video, status: int = 200) -> Response:
    return http.answer(videos.describe(video), status)
