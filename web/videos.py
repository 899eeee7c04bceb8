"""The streaming service's API: the library of videos, and what happened to them."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, g
from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from nextstream import event_schemas
from nextstream.domain.access import Action
from nextstream.domain.video import Priority, State, Video, Visibility
from nextstream.errors import PreconditionFailed
from nextstream.ports import Order, Wanted
from nextstream.services import downloads, events, lag, library, progress, rights, uploads
from nextstream.services.progress import Progress
from web import bodies, http, shapes, streaming, tokens
from web.contract import Answer, Pass, operation

blueprint = Blueprint("videos", __name__, url_prefix="/api/v1")

Limit = Annotated[int, Field(ge=1, le=100)]


class Page(BaseModel):
    """Which videos to list, and how; `everyone` asks for the public ones of all accounts."""

    limit: Limit = 20
    before: str | None = None
    state: State | None = None
    visibility: Visibility | None = None
    text: Annotated[str, Field(max_length=200)] | None = None
    order: Order = Order.NEWEST
    everyone: bool = False


SEEN: JsonDict = {"pattern": r"\S"}  # said, but not checked here: the service says it better


class VideoChange(http.Body):
    """What to change of a video; what isn't named stays."""

    title: (
        Annotated[str, Field(min_length=1, max_length=uploads.TITLE_MAX, json_schema_extra=SEEN)] | None
    ) = None
    visibility: Annotated[Visibility, Field(strict=False)] | None = None
    priority: Annotated[Priority, Field(strict=False)] | None = None


class PlaybackWish(http.Body):
    """How long a playback link is to be good, in seconds; `cookie` gives it to this browser as well."""

    lifetime_s: Annotated[int, Field(ge=60, le=30 * 86400), http.WHOLE] = 6 * 3600
    cookie: bool = False


class EventPage(BaseModel):
    """Which events to list."""

    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    limit: Limit = 100
    key: str | None = None


@blueprint.get("/videos")
@operation(Action.READ_VIDEO, query=Page, gives={200: shapes.VideoList})
def list_videos() -> Response:
    """List the account's videos, newest first; `next` is what to send as `before`."""
    account, query = tokens.account(), http.read_query(Page)
    wanted = Wanted(None, query.state, query.visibility, query.text, query.order)
    page = library.page(
        http.platform(), account, wanted, query.before, query.limit, everyone=query.everyone
    )
    progressing = progress.measure_all(http.platform(), page.videos)
    items = [_describe(video, progressing.get(video.id)) for video in page.videos]
    return http.answer({"items": items, "next": page.next})


@blueprint.get("/videos/<video_id>")
@operation(Action.READ_VIDEO, gives={200: Answer(shapes.Video, headers=("ETag",))})
def get_video(video_id: str) -> Response:
    """Describe a video, and how far its encode is."""
    video = library.get(http.platform(), tokens.account(), video_id)
    return _answer(video)


@blueprint.patch("/videos/<video_id>")
@operation(
    Action.CHANGE_VIDEO,
    body=VideoChange,
    sends=("If-Match",),
    gives={200: Answer(shapes.Video, headers=("ETag",))},
    errors=(PreconditionFailed,),
)
def change_video(video_id: str) -> Response:
    """Change a video's title, visibility or priority; with If-Match only if nobody else did since."""
    account, wish = tokens.account(), http.read_json(VideoChange)
    wishes = wish.model_dump(exclude_unset=True, exclude_none=True)
    revision = http.read_revision()
    return _answer(library.change(http.platform(), account, video_id, wishes, revision, g.request_id))


@blueprint.post("/videos/<video_id>/playback")
@operation(
    Action.READ_VIDEO,
    body=PlaybackWish,
    gives={201: Answer(shapes.Playback, headers=("Set-Cookie",))},
)
def grant_playback(video_id: str) -> Response:
    """Give a link that plays a video for a while, whatever its visibility."""
    account, wish = tokens.account(), http.read_json(PlaybackWish)
    granted = rights.grant(http.platform(), account, video_id, wish.lifetime_s)
    response = http.answer(bodies.grant(granted, http.base_url()), 201)
    if wish.cookie:
        streaming.set_ticket(response, video_id, granted)
    return response


@blueprint.delete("/videos/<video_id>/playback")
@operation(Action.CHANGE_VIDEO, gives={204: None})
def revoke_playback(video_id: str) -> Response:
    """Make all links that were given for a video worthless."""
    rights.revoke(http.platform(), tokens.account(), video_id, g.request_id)
    return Response(status=204)


@blueprint.delete("/videos/<video_id>")
@operation(Action.CHANGE_VIDEO, sends=("If-Match",), gives={204: None}, errors=(PreconditionFailed,))
def delete_video(video_id: str) -> Response:
    """Remove a video and all its files."""
    library.remove(http.platform(), tokens.account(), video_id, g.request_id, http.read_revision())
    return Response(status=204)


@blueprint.get("/events")
@operation(Action.OPERATE, query=EventPage, gives={200: shapes.EventList})
def list_events() -> Response:
    """List what happened, oldest first, to operators; `next` is what to send as `after`."""
    account, query = tokens.account(), http.read_query(EventPage)
    entries = events.page(http.platform(), account, query.after, query.limit, query.key)
    items = [bodies.event(entry) for entry in entries]
    return http.answer({"items": items, "next": entries[-1].place if entries else query.after})


@blueprint.get("/asyncapi.json")
@operation(Pass.NOTHING, "get_asyncapi", gives={200: Answer({"type": "object"})})
def show_asyncapi() -> Response:
    """Give the AsyncAPI document of all events."""
    return http.answer(event_schemas.asyncapi())


@blueprint.get("/events/lag")
@operation(Action.OPERATE, "get_event_lag", gives={200: shapes.Lags})
def show_lag() -> Response:
    """Tell operators how many events wait for Kafka and webhooks, and for how long."""
    return http.answer(bodies.lags(lag.show(http.platform(), tokens.account())))


def _answer(video: Video) -> Response:
    """Describe a video, with the ETag that a change of it may name in If-Match."""
    response = http.answer(describe(video))
    response.set_etag(str(video.revision))
    return response


def describe(video: Video) -> shapes.Video:
    """Describe a video as every answer and stream does."""
    return _describe(video, progress.measure(http.platform(), video))


def _describe(video: Video, progressing: Progress | None) -> shapes.Video:
    offered = downloads.on_offer(http.platform(), video)
    return bodies.video(video, http.base_url(), progressing, offered)
