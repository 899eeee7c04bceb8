"""Direct upload URLs: a backend asks for one, its user's browser sends the file there by tus or PUT."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, g, request
from pydantic import Field

from nextstream.domain.video import Encryption, Options, Wishes
from nextstream.errors import OffsetConflict, UploadIncomplete
from nextstream.ports import Upload
from nextstream.services import direct_uploads, resumable
from web import http, idempotency, tokens, tus

PREFIX = "/api/v1/uploads/direct"

blueprint = Blueprint("direct", __name__, url_prefix=PREFIX)
blueprint.register_error_handler(OffsetConflict, tus.tell_offset)


class Order(http.Body):
    """What a backend wants a URL for."""

    title: str | None = None
    filename: str = "video"
    max_bytes: int | None = None
    expires_s: int | None = None
    encryption: Annotated[Encryption, Field(strict=False)] | None = None


@blueprint.post("")
@idempotency.once
def create() -> Response:
    """Give a URL that takes one file, from whoever has it, until it expires."""
    owner, order = tokens.uploader(), http.read_json(Order)
    wish = resumable.Wish(
        length=None,
        filename=order.filename,
        title=order.title,
        max_bytes=order.max_bytes,
        expires_s=order.expires_s,
        request_id=g.request_id,
        encode=Wishes(options=Options(encryption=order.encryption)),
    )
    upload, secret = direct_uploads.create(http.platform(), owner, wish)
    url = f"{http.base_url()}{PREFIX}/{secret}"
    body = {"video_id": upload.id, "url": url, "expires_at": upload.expires_at.isoformat()}
    return http.answer(body, 201)


@blueprint.route("/<secret>", methods=["OPTIONS"])
def describe(secret: str) -> Response:  # noqa: ARG001  the same for all
    """Tell what tus clients may ask."""
    return tus.name_version(tus.describe())


@blueprint.put("/<secret>")
def put(secret: str) -> Response:
    """Take the file as the body itself; what came of one that broke off can be gone on with by tus."""
    platform, length = http.platform(), request.content_length
    upload = direct_uploads.open_(platform, direct_uploads.find(platform, secret), length)
    upload = tus.write(upload, 0, None)
    if length is None:
        upload = resumable.declare(platform, upload, upload.offset)
        upload = resumable.look(platform, upload)
    elif upload.offset != length:
        raise UploadIncomplete(detail=f"{upload.offset} of {length} bytes")
    return http.answer({"video_id": upload.id, "size_bytes": upload.offset}, 201)


@blueprint.post("/<secret>")
def begin(secret: str) -> Response:
    """Begin by tus; the upload's address is this one."""
    length = tus.length(is_final=False)
    upload = direct_uploads.find(http.platform(), secret)
    upload = direct_uploads.open_(http.platform(), upload, length)
    response = Response(status=201)
    response.headers["Location"] = f"{http.base_url()}{PREFIX}/{secret}"
    response.headers["X-Video-ID"] = upload.id
    return _answer(tus.tell_progress(response, upload))


@blueprint.route("/<secret>", methods=["HEAD"])
def look(secret: str) -> Response:
    """Tell how far the upload is."""
    return _answer(tus.tell(_find(secret)))


@blueprint.patch("/<secret>")
def append(secret: str) -> Response:
    """Add bytes to the upload."""
    return _answer(tus.take(_find(secret)))


@blueprint.delete("/<secret>")
def terminate(secret: str) -> Response:
    """End the upload, and the URL."""
    resumable.terminate(http.platform(), _find(secret))
    return _answer(Response(status=204))


def _find(secret: str) -> Upload:
    return direct_uploads.find(http.platform(), secret)


def _answer(response: Response) -> Response:
    return tus.name_version(response)
