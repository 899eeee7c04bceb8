"""Direct upload URLs: a backend asks for one, its user's browser sends the file there by tus or PUT."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, g, request
from pydantic import Field
from werkzeug.exceptions import UnsupportedMediaType

from nextstream.domain.access import Action
from nextstream.errors import OffsetConflict, UploadEmpty, UploadIncomplete, UploadTooLarge, WrongState
from nextstream.ports import Upload
from nextstream.services import direct_uploads, intake, resumable
from web import http, idempotency, tokens, tus, upload_shapes
from web.contract import Answer, Media, Pass, operation
from web.wishes import Asked

PREFIX = tus.DIRECT

blueprint = Blueprint("direct", __name__, url_prefix=PREFIX)
blueprint.register_error_handler(OffsetConflict, tus.tell_offset)


class DirectWish(Asked, http.Body):
    """What a backend wants a URL for."""

    filename: str = "video"
    max_bytes: Annotated[int, Field(ge=0), http.WHOLE] | None = None
    expires_s: Annotated[int, Field(ge=1), http.WHOLE] | None = None


@blueprint.post("")
@operation(
    Action.UPLOAD,
    "create_direct_upload",
    body=DirectWish,
    gives={201: upload_shapes.DirectUpload},
    errors=intake.REFUSALS,
)
@idempotency.once
def create() -> Response:
    """Give a URL that takes one file, from whoever has it, until it expires."""
    owner, order = tokens.uploader(), http.read_json(DirectWish)
    wish = resumable.Wish(
        length=None,
        filename=order.filename,
        title=order.title,
        max_bytes=order.max_bytes,
        expires_s=order.expires_s,
        request_id=g.request_id,
        asked=order.wishes,
    )
    upload, secret = direct_uploads.create(http.platform(), owner, wish)
    url = f"{http.base_url()}{PREFIX}/{secret}"
    body = {"video_id": upload.id, "url": url, "expires_at": upload.expires_at.isoformat()}
    return http.answer(body, 201)


@blueprint.route("/<secret>", methods=["OPTIONS"])
@operation(
    Pass.ADDRESS,
    "describe_direct_upload",
    gives={200: tus.ABLE},
)
def describe(secret: str) -> Response:  # noqa: ARG001  the same for all
    """Tell what tus clients may ask."""
    return tus.name_version(tus.describe())


@blueprint.put("/<secret>")
@operation(
    Pass.ADDRESS,
    "put_direct_upload",
    body=Media(("application/octet-stream", "video/*")),
    gives={201: upload_shapes.ReceivedUpload},
    errors=(UploadIncomplete, WrongState, *tus.WRITING),
)
def put(secret: str) -> Response:
    """Take the file as the body itself; what came of one that broke off can be gone on with by tus."""
    platform, length = http.platform(), request.content_length
    upload = direct_uploads.open_(platform, direct_uploads.find(platform, secret), length)
    upload = tus.write(upload, 0, None)
    if "broke_off" in g or length not in (None, upload.offset):
        raise UploadIncomplete(detail=f"{upload.offset} of {length or 'unknown'} bytes")
    if length is None:
        upload = resumable.declare(platform, upload, upload.offset)
        upload = resumable.look(platform, upload)
    if not upload.offset:
        raise UploadEmpty
    return http.answer({"video_id": upload.id, "size_bytes": upload.offset}, 201)


@blueprint.post("/<secret>")
@operation(
    Pass.ADDRESS,
    "begin_direct_upload",
    sends=("Upload-Length", "Upload-Defer-Length"),
    gives={201: Answer(headers=("Location", "X-Video-ID", *tus.PROGRESS))},
    errors=(UploadTooLarge, WrongState, *tus.OPEN),
)
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
@operation(Pass.ADDRESS, "get_direct_upload", gives={200: tus.TOLD}, errors=tus.OPEN)
def look(secret: str) -> Response:
    """Tell how far the upload is."""
    return _answer(tus.tell(_find(secret)))


@blueprint.patch("/<secret>")
@operation(
    Pass.ADDRESS,
    "append_direct_upload",
    body=tus.BYTES,
    sends=("Upload-Offset", "Upload-Length", "Upload-Checksum"),
    gives={204: Answer(headers=tus.PROGRESS)},
    errors=(UnsupportedMediaType, *tus.WRITING),
)
def append(secret: str) -> Response:
    """Add bytes to the upload."""
    return _answer(tus.take(_find(secret)))


@blueprint.delete("/<secret>")
@operation(Pass.ADDRESS, "terminate_direct_upload", gives={204: None}, errors=tus.OPEN)
def terminate(secret: str) -> Response:
    """End the upload, and the URL."""
    resumable.terminate(http.platform(), _find(secret))
    return _answer(Response(status=204))


def _find(secret: str) -> Upload:
    return direct_uploads.find(http.platform(), secret)


def _answer(response: Response) -> Response:
    return tus.name_version(response)
