"""The streaming service: the files that players fetch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic.config import JsonDict
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from nextstream.domain import paths, variants
from nextstream.domain.metrics import PLAYBACK_BYTES
from nextstream.domain.variants import Wanted
from nextstream.domain.video import Visibility
from nextstream.errors import (
    KeyUnreadable,
    NoDash,
    NotFound,
    NoVariant,
    PreconditionFailed,
    VideoNotReady,
)
from nextstream.ports import Access, StoredObject
from nextstream.services import playback, rights
from nextstream.services.growing import Playlist
from nextstream.services.rights import Grant
from web import delivery, http
from web.contract import Answer, Pass, operation

blueprint = Blueprint("streaming", __name__)

IMMUTABLE = "max-age=31536000, immutable"
TICKET_COOKIE = "ns_ticket"
PREFLIGHT_S = 86400
FOR_PLAYERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match",
    "Access-Control-Expose-Headers": f"Content-Length, Content-Range, ETag, {http.REQUEST_ID}",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

Height = Annotated[int, Field(ge=1, le=100_000)]
FAMILIES: JsonDict = {"type": "array", "minItems": 1, "items": {"enum": [*variants.FAMILIES]}}
Families = Annotated[
    frozenset[str],
    BeforeValidator(variants.read_families),
    WithJsonSchema(FAMILIES),
]


class Wish(BaseModel):
    """Which variants a player is offered; `max_bandwidth` is in bits per second, with sound."""

    max_height: Height | None = None
    min_height: Height | None = None
    codecs: Families | None = None
    max_bandwidth: Annotated[int, Field(ge=1)] | None = None
    device: Literal["phone", "tablet", "desktop", "tv"] | None = None


ASKED = ("Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
FILE = (NotFound, PreconditionFailed, RequestedRangeNotSatisfiable, VideoNotReady)
BYTES = {"type": "string", "format": "binary"}
ANY = "*/*"


def given(*media: str, headers: tuple[str, ...] = ()) -> dict[int, Answer]:
    """Say what a request for a file gives: the whole, a range, or that the client has it."""
    names = ("ETag", "Last-Modified", "Accept-Ranges", *headers)
    body = {} if ANY in media else BYTES  # JSON is among them, and no string
    return {
        200: Answer(body, media, names),
        206: Answer(body, media, (*names, "Content-Range")),
        304: Answer(headers=("ETag",)),
    }


def attend(others: Blueprint) -> None:
    """Give a blueprint whose addresses are below a video, too, what players' requests need."""
    others.url_value_preprocessor(take_ticket)
    others.after_request(allow_players)
    others.after_request(count_bytes)


@blueprint.url_value_preprocessor
def take_ticket(_: str | None, values: dict[str, Any] | None) -> None:
    """Take the ticket out of the path, and the one in the video's cookie, for `admit`."""
    g.ticket = (values or {}).pop("ticket", None)
    has_cookies = "HTTP_COOKIE" in request.environ  # to look into none takes as long as to find a file
    g.kept_ticket = request.cookies.get(TICKET_COOKIE) if has_cookies else None


@blueprint.get(f"/v/<video_id>/{paths.MASTER}")
@blueprint.get(f"/p/<ticket>/v/<video_id>/{paths.MASTER}")
@operation(
    Pass.TICKET,
    "get_master_playlist",
    query=Wish,
    sends=(*ASKED, "Save-Data"),
    gives=given(paths.mime_type(paths.MASTER)),
    errors=(NoVariant, *FILE),
)
def get_master(video_id: str) -> Response:
    """Give the master playlist, with the variants that the query and the device want."""
    wanted, access = _wanted(), admit(video_id)
    return _offer(playback.master(http.platform(), video_id, wanted), paths.MASTER, access)


@blueprint.get(f"/v/<video_id>/{paths.MANIFEST}")
@blueprint.get(f"/p/<ticket>/v/<video_id>/{paths.MANIFEST}")
@operation(
    Pass.TICKET,
    "get_manifest",
    query=Wish,
    sends=(*ASKED, "Save-Data"),
    gives=given(paths.mime_type(paths.MANIFEST)),
    errors=(NoDash, NoVariant, *FILE),
)
def get_manifest(video_id: str) -> Response:
    """Give the DASH manifest, as the master playlist."""
    wanted, access = _wanted(), admit(video_id)
    return _offer(playback.manifest(http.platform(), video_id, wanted), paths.MANIFEST, access)


@blueprint.get(f"/v/<video_id>/v<int:version>/{paths.KEY}")
@blueprint.get(f"/p/<ticket>/v/<video_id>/v<int:version>/{paths.KEY}")
@operation(
    Pass.TICKET,
    gives={200: Answer(BYTES, ("application/octet-stream",))},
    errors=(KeyUnreadable, NotFound),
)
def get_key(video_id: str, version: int) -> Response:
    """Give the key of a version's segments, to who may play them; nobody may keep it."""
    platform = http.platform()
    found = playback.key(platform, admit(video_id), version)
    response = Response(found, content_type="application/octet-stream")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/v/<video_id>/<path:name>")
@blueprint.get("/p/<ticket>/v/<video_id>/<path:name>")
@operation(
    Pass.TICKET,
    "get_playback_file",
    sends=ASKED,
    gives={**given(ANY), 302: Answer(headers=("Location",))},
    errors=FILE,
)
def get_file(video_id: str, name: str) -> Response:
    """Give a segment, playlist or manifest, or a range of it; or where a segment is to be had."""
    platform, access = http.platform(), admit(video_id)
    elsewhere = playback.elsewhere(platform, access, video_id, name) if request.method == "GET" else None
    if elsewhere is not None:
        return delivery.send_elsewhere(elsewhere, sharing(access))
    return _send(playback.file(platform, video_id, name), name, access)


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


def _wanted() -> Wanted:
    """Read which variants a player wants, by its query and by Save-Data; raises BadRequest."""
    query = http.read_query(Wish)
    heights = [query.max_height, variants.DEVICES[query.device] if query.device else None]
    most = min((height for height in heights if height), default=None)
    if most is None and request.headers.get("Save-Data", "").lower() == "on":
        most = variants.SAVED_HEIGHT
    return Wanted(most, query.min_height, query.codecs, query.max_bandwidth)


def _offer(found: StoredObject | Playlist, name: str, access: Access) -> Response:
    """Send what a player chooses of, which Save-Data changes."""
    response = _send(found, name, access)
    response.vary.add("Save-Data")
    return response


def _send(found: StoredObject | Playlist, name: str, access: Access) -> Response:
    """Send a file; a playlist that grows may be kept for half the time after which players ask again."""
    if not isinstance(found, Playlist):
        return delivery.send_stored(found, _caching(name, access))
    kept = f"max-age={found.max_age_s}" if found.max_age_s else "no-cache"
    return delivery.send_text(found.text.encode(), name, f"{sharing(access)}, {kept}")


@blueprint.after_request
def allow_players(response: Response) -> Response:
    """Let players on any site read public files, errors included: a login plays no part there."""
    if request.path.startswith(("/v/", "/p/")):
        response.headers.extend(FOR_PLAYERS)  # at once, since each that is set alone looks for itself
        if response.status_code >= 400:  # a cache may keep a 404 otherwise (RFC 9111, 4.2.2)
            response.headers["Cache-Control"] = "no-store"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Max-Age"] = PREFLIGHT_S
    return response


@blueprint.after_request
def count_bytes(response: Response) -> Response:
    """Count the bytes that a player is sent, as far as it goes on reading."""
    if request.method == "GET" and response.status_code in (200, 206):
        http.platform().metrics.count(PLAYBACK_BYTES, response.content_length or 0)
    return response


def admit(video_id: str) -> Access:
    """Let the player in, and give what that was decided by."""
    return rights.admit(http.platform(), video_id, g.ticket, g.kept_ticket)


def sharing(access: Access) -> str:
    """Give who may share what a player gets: `public` or `private`."""
    return "private" if access.visibility is Visibility.PRIVATE else "public"


def _caching(name: str, access: Access) -> str:
    """Give what caches may do: keep segments for ever, and ask for playlists each time."""
    return f"{sharing(access)}, {IMMUTABLE if paths.is_immutable(name) else 'no-cache'}"
