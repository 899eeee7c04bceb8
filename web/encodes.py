"""What users do with encodes: cancel, retry, encode anew; and the workers."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import AfterValidator, Field

from nextstream.domain import ladder
from nextstream.domain.video import Encryption, Options, Video
from nextstream.services import encodes, fleet, progress
from web import bodies, http, idempotency, tokens

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


def _even(height: int) -> int:
    if height % 2:
        raise ValueError("must be even")
    return height


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"must be one of {', '.join(PRESETS)}")
    return name


def _codec(name: str) -> str:
    known = [codec.name for codec in ladder.CODECS]
    if name not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return name


Height = Annotated[int, Field(ge=64, le=4320), AfterValidator(_even)]
Codec = Annotated[str, AfterValidator(_codec)]


class Wish(http.Body):
    """What the next encode does differently from the server's settings."""

    heights: Annotated[list[Height], Field(min_length=1, max_length=10)] | None = None
    preset: Annotated[str, AfterValidator(_preset)] | None = None
    crf: Annotated[int, Field(ge=10, le=51)] | None = None
    codecs: Annotated[list[Codec], Field(min_length=1)] | None = None
    encryption: Annotated[Encryption, Field(strict=False)] | None = None


@blueprint.post("/videos/<video_id>/cancel")
def cancel(video_id: str) -> Response:
    """End a video's encode, and remove what it stored; the source stays."""
    return _answer(encodes.cancel(http.platform(), tokens.account(), video_id))


@blueprint.post("/videos/<video_id>/retry")
@idempotency.once
def retry(video_id: str) -> Response:
    """Do again what failed."""
    return _answer(encodes.retry(http.platform(), tokens.account(), video_id), 202)


@blueprint.post("/videos/<video_id>/encodes")
@idempotency.once
def reencode(video_id: str) -> Response:
    """Encode a video anew; what there is plays until that is ready."""
    account, wish = tokens.account(), http.read_json(Wish)
    heights = tuple(wish.heights) if wish.heights else None
    codecs = tuple(wish.codecs) if wish.codecs else None
    options = Options(heights, wish.preset, wish.crf, codecs, wish.encryption)
    return _answer(encodes.reencode(http.platform(), account, video_id, options), 202)


@blueprint.get("/workers")
def list_workers() -> Response:
    """List the workers that encode, to operators."""
    found = fleet.page(http.platform(), tokens.account())
    return http.answer({"items": [bodies.worker(each) for each in found]})


def _answer(video: Video, status: int = 200) -> Response:
    body: dict[str, Any] = bodies.video(video, http.base_url(), progress.measure(http.platform(), video))
    return http.answer(body, status)
