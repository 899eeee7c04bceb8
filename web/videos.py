"""The streaming service's API: the library of videos, and what happened to them."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response, g
from pydantic import BaseModel, Field

from nextstream.domain.video import Video
from nextstream.services import events, library
from web import bodies, http, tokens

blueprint = Blueprint("videos", __name__, url_prefix="/api/v1")

Limit = Annotated[int, Field(ge=1, le=100)]


class Page(BaseModel):
    """Which videos to list."""

    limit: Limit = 20
    before: str | None = None


class EventPage(BaseModel):
    """Which events to list."""

    after: Annotated[int, Field(ge=0)] = 0
    limit: Limit = 100
    key: str | None = None


@blueprint.get("/videos")
def list_videos() -> Response:
    """List the account's videos, newest first; `next` is what to send as `before`."""
    account, query = tokens.account(), http.read_query(Page)
    page = library.page(http.platform(), account, query.before, query.limit)
    items = [_describe(video) for video in page.videos]
    return http.answer({"items": items, "next": page.next})


@blueprint.get("/videos/<video_id>")
def get_video(video_id: str) -> Response:
    """Describe a video, and how far its encode is."""
    video = library.get(http.platform(), tokens.account(), video_id)
    return http.answer(_describe(video))


@blueprint.delete("/videos/<video_id>")
def delete_video(video_id: str) -> Response:
    """Remove a video and all its files."""
    library.remove(http.platform(), tokens.account(), video_id, g.request_id)
    return Response(status=204)


@blueprint.get("/events")
def list_events() -> Response:
    """List what happened, oldest first, to operators; `next` is what to send as `after`."""
    account, query = tokens.account(), http.read_query(EventPage)
    entries = events.page(http.platform(), account, query.after, query.limit, query.key)
    items = [bodies.event(entry) for entry in entries]
    return http.answer({"items": items, "next": entries[-1].place if entries else query.after})


def _describe(video: Video) -> dict[str, Any]:
    return bodies.video(video, http.base_url(), library.progress(http.platform(), video))
