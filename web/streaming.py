"""The streaming service: the files that players fetch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, Field
from werkzeug.wsgi import wrap_file

from nextstream.domain import paths
from nextstream.domain.video import Visibility
from nextstream.ports import StoredObject
from nextstream.services import growing, playback, rights
from nextstream.services.rights import Grant
from web import http

blueprint = Blueprint("streaming", __name__)

IMMUTABLE = "max-age=31536000, immutable"
TICKET_COOKIE = "ns_ticket"
LOCATE_S = 60

Height = Annotated[int, Field(ge=1, le=100_000)]


class Heights(BaseModel):
    """Which variants a player is offered."""

    max_height: Height | None = None
    min_height: Height | None = None


def attend(others: Blueprint) -> None:
    """Give a blueprint whose addresses are below a video, too, what players' requests need."""
    others.url_value_preprocessor(take_ticket)
    others.after_request(allow_players)


@blueprint.url_value_preprocessor
def take_ticket(_: str | None, values: dict[str, Any] | None) -> None:
    """Take the ticket out of the path, or else out of the video's cookie, for `admit`."""
    g.ticket = (values or {}).pop("ticket", None) or request.cookies.get(TICKET_COOKIE)


@blueprint.get(f"/v/<video_id>/{paths.MASTER}")
@blueprint.get(f"/p/<ticket>/v/<video_id>/{paths.MASTER}")
def get_master(video_id: str) -> Response:
    """Give the master playlist, with the variants between two heights if the query has any."""
    query, sharing = http.read_query(Heights), admit(video_id)
    found = playback.master(http.platform(), video_id, query.max_height, query.min_height)
    return _tell(found, sharing)


@blueprint.get(f"/v/<video_id>/v<int:version>/{paths.KEY}")
@blueprint.get(f"/p/<ticket>/v/<video_id>/v<int:version>/{paths.KEY}")
def get_key(video_id: str, version: int) -> Response:
    """Give the key of a version's segments, to who may play them; nobody may keep it."""
    platform = http.platform()
    found = playback.key(platform, rights.admit(platform, video_id, g.ticket), version)
    response = Response(found, content_type="application/octet-stream")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/v/<video_id>/<path:name>")
@blueprint.get("/p/<ticket>/v/<video_id>/<path:name>")
def get_file(video_id: str, name: str) -> Response:
    """Give a segment, playlist or manifest, or a range of it."""
    sharing = admit(video_id)
    stored = playback.file(http.platform(), video_id, name)
    if isinstance(stored, growing.Playlist):
        return _tell(stored, sharing)
    response = Response(content_type=paths.mime_type(name))
    response.headers["Cache-Control"] = _caching(name, sharing)
    response.set_etag(stored.etag)
    response.last_modified = stored.modified_at
    start, size_bytes = offer(response, stored.size_bytes)
    if request.method != "HEAD" and response.status_code in (200, 206):
        _attach(response, stored, start, size_bytes)
    return response


def offer(response: Response, size_bytes: int) -> tuple[int, int]:
    """Answer a request for a file of this size as its headers ask: whole, a range, or not again.

    Gives the first byte and the number of bytes to send.
    """
    response.content_length = size_bytes
    response.make_conditional(
        request.environ,
        accept_ranges=_wants_one_range(size_bytes),
        complete_length=size_bytes,
    )
    response.headers["Accept-Ranges"] = "bytes"
    if response.status_code != 206:
        return 0, size_bytes
    start, stop = response.content_range.start or 0, response.content_range.stop or 0
    return start, stop - start


def set_ticket(response: Response, video_id: str, granted: Grant) -> None:
    """Put a ticket into a cookie that goes along with this video's files alone."""
    response.set_cookie(
        TICKET_COOKIE,
        granted.word,
        path=f"/v/{video_id}",
        expires=granted.expires_at,
        secure=http.platform().settings.secure_cookies,
        httponly=True,
        samesite="Lax",
    )


def _tell(playlist: growing.Playlist, sharing: str) -> Response:
    """Give a playlist; one that grows may be kept for half the time after which players ask again."""
    response = Response(playlist.text, content_type=paths.mime_type(paths.MASTER))
    kept = f"max-age={playlist.max_age_s}" if playlist.max_age_s else "no-cache"
    response.headers["Cache-Control"] = f"{sharing}, {kept}"
    response.add_etag()
    return response.make_conditional(request.environ)  # type: ignore[return-value]  # it gives itself


@blueprint.after_request
def allow_players(response: Response) -> Response:
    """Let players on any site read public files, errors included: a login plays no part there."""
    if request.path.startswith(("/v/", "/p/")):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Headers"] = "Range"
        response.headers["Access-Control-Expose-Headers"] = (
            f"Content-Length, Content-Range, {http.REQUEST_ID}"
        )
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def admit(video_id: str) -> str:
    """Let the player in, and give who may share what it gets: `public` or `private`."""
    access = rights.admit(http.platform(), video_id, g.ticket)
    return "private" if access.visibility is Visibility.PRIVATE else "public"


def _caching(name: str, sharing: str) -> str:
    """Give what caches may do: keep segments for ever, and ask for playlists each time."""
    return f"{sharing}, {IMMUTABLE}" if paths.is_immutable(name) else f"{sharing}, no-cache"


def _wants_one_range(size_bytes: int) -> bool:
    """Tell whether to mind the Range header: one range of bytes; RFC 9110 14.2 lets us ignore others."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return False
    return wanted.ranges[0][0] >= -size_bytes  # the last bytes, and more of them than there are


def _attach(response: Response, stored: StoredObject, start: int, size_bytes: int) -> None:
    """Give a response the bytes its headers promise."""
    storage = http.platform().storage
    path = Path(storage.locate(stored.key, LOCATE_S))
    body: Iterator[bytes]
    if size_bytes == stored.size_bytes and path.is_absolute():
        body = wrap_file(request.environ, path.open("rb"))  # type: ignore[assignment]  # gunicorn's sendfile
    else:
        body = storage.stream(stored.key, start, size_bytes)
    response.response = body
    response.direct_passthrough = True
