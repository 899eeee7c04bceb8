"""The upload service: videos come in as a raw body or as a form, straight into storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from nextstream.domain.accounts import Account
from nextstream.domain.video import Encryption, Options, Priority, Video, Wishes
from nextstream.errors import UploadIncomplete, UploadTooLarge
from nextstream.services import imports, library, resumable, uploads
from web import bodies, http, idempotency, multipart, tokens, upload_slots, wire

blueprint = Blueprint("upload", __name__, url_prefix="/api/v1/uploads")

BLOCK_BYTES = 256 * 1024
FORM_MAX_BYTES = 1024**2  # of a form, beside its file


@blueprint.post("")
@idempotency.once
def post() -> Response:
    """Take a form in: the file `file`, and before it, or in the query, a `title`."""
    owner, wishes = _admit(None), _wishes()
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/form-data" or not boundary:
        abort(415, "Send a form as multipart/form-data, or the file itself by PUT.")
    form = multipart.read(_blocks(FORM_MAX_BYTES), boundary, "file")
    title = request.args.get("title") or form.fields.get("title")
    return _receive(owner, form.filename, title, form.blocks, None, g.request_id, wishes)


@blueprint.put("/<filename>")
@idempotency.once
def put(filename: str) -> Response:
    """Take the body itself in, as `curl -T FILE` sends it; the query may have a `title`."""
    size_bytes = request.content_length
    owner, wishes = _admit(size_bytes), _wishes()
    title = request.args.get("title")
    return _receive(owner, filename, title, _blocks(), size_bytes, g.request_id, wishes)


class Import(http.Body):
    """A file to be fetched."""

    url: str
    title: str | None = None
    filename: str = ""


@blueprint.post("/import")
@idempotency.once
def fetch() -> Response:
    """Have a file fetched from a URL; the video tells how it goes."""
    owner, wish = tokens.uploader(), http.read_json(Import)
    what = resumable.Wish(
        length=None,
        filename=wish.filename,
        title=wish.title,
        request_id=g.request_id,
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


def _wishes() -> Wishes:
    """Read the query's `priority` and `encryption`; raises BadRequest."""
    priority = http.read_word(request.args, "priority", Priority)
    encryption = http.read_word(request.args, "encryption", Encryption)
    return Wishes(priority or Priority.NORMAL, Options(encryption=encryption))


def _blocks(besides_bytes: int = 0) -> Iterator[bytes]:
    """Give the body as it arrives; raises UploadTooLarge, and UploadIncomplete where it breaks off.

    gunicorn ends a body that broke off as if it were whole, hence the count.
    """
    # One more than is allowed: werkzeug takes a body that ends at its limit for one that goes on.
    request.max_content_length = http.platform().settings.upload_max_bytes + besides_bytes + 1
    received = 0
    try:
        while block := request.stream.read(BLOCK_BYTES):
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
