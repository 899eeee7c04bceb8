"""Server-sent events of one video: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from threading import BoundedSemaphore

from flask import Blueprint, Response, current_app, request, stream_with_context
from flask.blueprints import BlueprintSetupState

from nextstream.domain.access import Action
from nextstream.domain.accounts import Account
from nextstream.errors import BadRequest, NextStreamError, TooManyStreams
from nextstream.ports import Platform
from nextstream.services import following
from nextstream.services.following import Sight
from web import http, tokens, videos, wire
from web.contract import Answer, operation

blueprint = Blueprint("following", __name__, url_prefix="/api/v1")

LOOK_EVERY_S = 1.0
SIGN_OF_LIFE_S = 5.0  # a proxy finds out by it that its client has left, and lets go of us
LONGEST_S = 300.0  # then the client comes again, with a token that is still good
RETRY_MS = 2000

_PLACE = re.compile("[0-9]{0,18}")

MESSAGE = {  # each of the stream
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "What to send as Last-Event-ID."},
        "event": {"type": "string", "description": "`progress`, or missing for a CloudEvent."},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer", "description": "Milliseconds to wait before coming again."},
    },
}


@blueprint.record_once
def count_streams(state: BlueprintSetupState) -> None:
    """Give each process its seats: a stream keeps a thread, and other requests need some."""
    seats = state.app.extensions["nextstream"].settings.streams_each
    state.app.extensions["streams"] = BoundedSemaphore(seats)


@blueprint.get("/videos/<video_id>/events")
@operation(
    Action.READ_VIDEO,
    sends=("Last-Event-ID",),
    gives={200: Answer(MESSAGE, ("text/event-stream",)), 204: None},
    errors=(TooManyStreams,),
)
def follow_video(video_id: str) -> Response:
    """Stream what happens to a video: its CloudEvents, and `progress` with the video as GET gives it.

    Begins behind the header Last-Event-ID, or now. Ends with the encode, or after some minutes; a
    client that comes again when nothing more can happen gets 204, which browsers take for the end.
    """
    platform, account, after = http.platform(), tokens.account(), _last_event_id()
    sight = following.look(platform, account, video_id, after)
    if after is not None and sight.is_last:
        return Response(status=204)
    seats: BoundedSemaphore = current_app.extensions["streams"]
    if not seats.acquire(blocking=False):
        raise TooManyStreams
    lines = stream_with_context(_stream(platform, account, sight))
    response = Response(lines, content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # nginx would keep it until it has some kilobytes
    response.call_on_close(seats.release)
    return response


def _last_event_id() -> int | None:
    """Read where the client was; raises BadRequest."""
    text = request.headers.get("Last-Event-ID", "")
    if not _PLACE.fullmatch(text):
        raise BadRequest("Last-Event-ID is the id of an event of this stream, a number.")
    return int(text) if text else None


def _stream(platform: Platform, account: Account, sight: Sight) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    began = spoke = time.monotonic()
    said = ""
    while True:
        body = json.dumps(videos.describe(sight.video))
        if lines := "".join(_messages(sight, "" if body == said else body)):
            said, spoke = body, time.monotonic()
            yield lines
        elif time.monotonic() - spoke > SIGN_OF_LIFE_S:
            spoke = time.monotonic()
            yield ": still here\n\n"
        if sight.is_last or time.monotonic() - began > LONGEST_S or wire.is_gone(request.environ):
            return
        time.sleep(LOOK_EVERY_S)
        try:
            sight = following.look(platform, account, sight.video.id, sight.place)
        except NextStreamError:  # the client comes again, and is told then
            return


def _messages(sight: Sight, progress: str) -> Iterator[str]:
    for place, event in sight.events:
        yield _message(place, json.dumps(event.body()))
    if progress:
        yield _message(sight.place, progress, name="progress")


def _message(place: int, data: str, name: str | None = None) -> str:
    kind = f"event: {name}\n" if name else ""
    return f"{kind}id: {place}\ndata: {data}\n\n"
