"""The upload service: videos come in as a raw body or as a form, straight into storage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, g, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from nextstream.domain.access import Action
from nextstream.domain.accounts import Account
from nextstream.domain.video import Encryption, Priority, Video, Visibility
from nextstream.errors import (
    AddressRefused,
    ServerBusy,
    SourceNotVideo,
    UploadEmpty,
    UploadIncomplete,
    UploadTooLarge,
)
from nextstream.services import imports, intake, library, resumable, uploads
from web import bodies, http, idempotency, multipart, shapes, tokens, upload_slots, wire, wishes
from web.contract import Answer, Media, operation
from web.multipart import Form
from web.wishes import Asked

blueprint = Blueprint("upload", __name__, url_prefix="/api/v1/uploads")

FORM_MAX_BYTES = 1024**2  # of a form, beside its file


TAKING = (*intake.REFUSALS, ServerBusy, SourceNotVideo, UploadEmpty, UploadIncomplete)
FORM = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "visibility": {"enum": [*Visibility]},
        "priority": {"enum": [*Priority]},
        "encryption": {"enum": [*Encryption]},
        "file": {"type": "string", "format": "binary"},
    },
    "required": ["file"],
}


def _form() -> Form:
    """Give the request's form, which is read up to its file once."""
    if "form" not in g:
        _admit(None)
        boundary = request.mimetype_params.get("boundary")
        if request.mimetype != "multipart/form-data" or not boundary:
            abort(415, "Send a form as multipart/form-data, or the file itself by PUT.")
        g.form = multipart.read(_blocks(FORM_MAX_BYTES), boundary, "file", Asked.model_fields)
    form: Form = g.form
    return form


def _of_form() -> object:
    """Tell a form from others by what stands before the file: its length changes with its boundary."""
    return _form().filename, sorted(_form().fields.items())


@blueprint.post("")
@operation(
    Action.UPLOAD,
    "upload_form",
    query=Asked,
    body=Media(("multipart/form-data",), FORM),
    gives={201: Answer(shapes.Video, headers=("Location",))},
    errors=(UnsupportedMediaType, *TAKING),
)
@partial(idempotency.once, tell=_of_form)
def post() -> Response:
    """Take a form in: the file `file`, and before it, or in the query, what is asked of the video."""
    owner, about, form = tokens.uploader(), http.read_query(Asked), _form()
    asked = wishes.read({**form.fields, **about.model_dump(exclude_none=True)})
    return _receive(owner, form.filename, asked.title, form.blocks, None, g.request_id, asked.wishes)


@blueprint.put("/<filename>")
@operation(
    Action.UPLOAD,
    "upload_video",
    query=Asked,
    body=Media(("application/octet-stream", "video/*")),
    gives={201: Answer(shapes.Video, headers=("Location",))},
    errors=TAKING,
)
@idempotency.once
def put(filename: str) -> Response:
    """Take the body itself in, as `curl -T FILE` sends it; the query says what is asked of the video."""
    size_bytes = request.content_length
    owner, about = _admit(size_bytes), http.read_query(Asked)
    request_id, wishes = g.request_id, about.wishes
    return _receive(owner, filename, about.title, _blocks(), size_bytes, request_id, wishes)


class ImportWish(Asked, http.Body):
    """A file to be fetched."""

    url: str
    filename: str = ""


@blueprint.post("/import")
@operation(
    Action.UPLOAD,
    "import_video",
    body=ImportWish,
    gives={202: Answer(shapes.Video, headers=("Location",))},
    errors=(AddressRefused, *intake.REFUSALS),
)
@idempotency.once
def fetch() -> Response:
    """Have a file fetched from a URL; the video tells how it goes."""
    owner, wish = tokens.uploader(), http.read_json(ImportWish)
    what = resumable.Wish(
        length=None,
        filename=wish.filename,
        title=wish.title,
        request_id=g.request_id,
        asked=wish.wishes,
    )
    upload = imports.begin(http.platform(), owner, wish.url, what)
    return _created(library.get(http.platform(), owner, upload.id), 202)


def _receive(owner: Account, *about: Any) -> Response:
    """Pass a body on in a slot, with patience for a slow client; `about` as in uploads.receive."""
    with upload_slots.taken(), wire.patience(request.environ):
        return _created(uploads.receive(http.platform(), owner, *about))


def _admit(size_bytes: int | None) -> Account:
    """Find out who sends, and refuse what can be refused, before the body is touched."""
    owner = tokens.uploader()
    uploads.check(http.platform(), owner, size_bytes)
    return owner


def _blocks(besides_bytes: int = 0) -> Iterator[bytes]:
    """Give the body as it arrives; raises UploadTooLarge, and UploadIncomplete where it breaks off.

    gunicorn ends a body that broke off as if it were whole, hence the count.
    """
    # One more than is allowed: werkzeug takes a body that ends at its limit for one that goes on.
    request.max_content_length = http.platform().settings.upload_max_bytes + besides_bytes + 1
    received = 0
    try:
        while block := request.stream.read(wire.BLOCK_BYTES):
            received += len(block)
            yield block
    except RequestEntityTooLarge as error:
        raise UploadTooLarge from error
    except wire.BROKEN as error:
        raise UploadIncomplete(detail=str(error)) from error
    if request.content_length not in (None, received):
        raise UploadIncomplete(detail=f"{received} of {request.content_length} bytes")


def _created(video: Video, status: int = 201) -> Response:
    response = http.answer(bodies.video(video, http.base_url()), status)
    response.headers["Location"] = f"/api/v1/videos/{video.id}"
    return response
