"""Parts that a browser sends to S3 itself, as Uppy's AWS S3 plugin asks its companion for them."""

from __future__ import annotations

import json

from flask import Blueprint, Response, g
from pydantic import BaseModel

from nextstream.domain.access import Action
from nextstream.errors import (
    NotFound,
    SourceNotVideo,
    UploadEmpty,
    UploadExpired,
    UploadGone,
    UploadIncomplete,
    UploadLocked,
    UploadTooLarge,
)
from nextstream.ports import Upload
from nextstream.services import intake, presigned, resumable
from web import http, idempotency, tokens, upload_shapes
from web.contract import operation
from web.wishes import Asked

blueprint = Blueprint("s3_parts", __name__, url_prefix="/api/v1/uploads/s3/multipart")

OPEN = (NotFound, UploadGone, UploadExpired, UploadLocked)  # of an upload that has begun


class FileFacts(BaseModel):
    """What Uppy says of a file, with the fields of `metadata` that its page lets through."""

    filename: str = "video"
    metadata: Asked = Asked()


@blueprint.post("")
@operation(
    Action.UPLOAD,
    "create_multipart_upload",
    body=FileFacts,
    gives={200: upload_shapes.Multipart},
    errors=(NotFound, *intake.REFUSALS),
)
@idempotency.once
def create() -> Response:
    """Begin an upload; the key is ours, and the upload's id is its video's."""
    owner, file = tokens.uploader(), http.read_json(FileFacts)
    asked = file.metadata
    wish = resumable.Wish(
        length=None,
        filename=file.filename,
        title=asked.title,
        request_id=g.request_id,
        asked=asked.wishes,
    )
    upload = presigned.create(http.platform(), owner, wish)
    return http.answer({"key": upload.key, "uploadId": upload.id, "video_id": upload.id})


@blueprint.get("/<upload_id>/<int:number>")
@operation(Action.UPLOAD, "sign_part", gives={200: upload_shapes.SignedPart}, errors=OPEN)
def sign(upload_id: str, number: int) -> Response:
    """Give the URL of one part."""
    url = presigned.sign(http.platform(), _find(upload_id), number)
    return http.answer({"url": url, "expires": presigned.SIGNED_S})


@blueprint.get("/<upload_id>")
@operation(Action.UPLOAD, gives={200: list[upload_shapes.SentPart]}, errors=OPEN)
def list_parts(upload_id: str) -> Response:
    """List the parts that have come, for a client that goes on."""
    found = presigned.sent(http.platform(), _find(upload_id))
    parts = [{"PartNumber": p.number, "Size": p.size_bytes, "ETag": p.etag} for p in found]
    return Response(json.dumps(parts) + "\n", content_type="application/json")


@blueprint.post("/<upload_id>/complete")
@operation(
    Action.UPLOAD,
    "complete_multipart_upload",
    gives={200: upload_shapes.CompletedMultipart},
    errors=(*OPEN, SourceNotVideo, UploadEmpty, UploadIncomplete, UploadTooLarge),
)
def complete(upload_id: str) -> Response:
    """Join the parts and accept the video, or tell why not."""
    upload = presigned.complete(http.platform(), _find(upload_id))
    location = f"{http.base_url()}/api/v1/videos/{upload.id}"
    return http.answer({"location": location, "key": upload.key, "video_id": upload.id})


@blueprint.delete("/<upload_id>")
@operation(Action.UPLOAD, "abort_multipart_upload", gives={200: upload_shapes.Nothing}, errors=OPEN)
def abort(upload_id: str) -> Response:
    """End the upload."""
    resumable.terminate(http.platform(), _find(upload_id))
    return http.answer({})


def _find(upload_id: str) -> Upload:
    return resumable.find(http.platform(), tokens.account(), upload_id)
