"""Resumable uploads by tus 1.0.0 (tus.io), for tus-js-client, Uppy, tuspy and the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, abort, g, request
from werkzeug.exceptions import Forbidden, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import http_date

from nextstream.domain import tus
from nextstream.domain.access import Action
from nextstream.domain.accounts import Account
from nextstream.domain.uploading import Stage
from nextstream.errors import (
    BadRequest,
    ChecksumMismatch,
    NextStreamError,
    OffsetConflict,
    QuotaExceeded,
    ServerBusy,
    SourceNotVideo,
    TusVersionRefused,
    UploadEmpty,
    UploadExpired,
    UploadGone,
    UploadLocked,
    UploadTooLarge,
)
from nextstream.ports import Upload
from nextstream.services import intake, resumable
from web import http, idempotency, problems, tokens, upload_slots, wire, wishes
from web.contract import Answer, Media, Pass, operation

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/api/v1/uploads/tus"
DIRECT = "/api/v1/uploads/direct"  # its URLs speak tus, too

SPOKEN = ("Tus-Resumable",)
CREATES = (*SPOKEN, "Upload-Length", "Upload-Defer-Length")
APPENDS = (*SPOKEN, "Upload-Offset", "Upload-Length", "Upload-Checksum")
PROGRESS = (*SPOKEN, "Upload-Offset", "Upload-Expires")
TOLD = Answer(
    headers=(*PROGRESS, "Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Concat")
)
ABLE = Answer(headers=(*SPOKEN, "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"))
OPEN = (TusVersionRefused, UploadExpired, UploadGone, UploadLocked)  # of an upload that has begun
WRITING = (
    *OPEN,
    ChecksumMismatch,
    OffsetConflict,
    QuotaExceeded,
    ServerBusy,
    SourceNotVideo,
    UploadEmpty,
    UploadTooLarge,
)
BYTES = Media((tus.BODY_TYPE,))
BYTES_IF_ANY = Media((tus.BODY_TYPE,), required=False)

blueprint = Blueprint("tus", __name__, url_prefix=PREFIX)


class MethodOverride:
    """Takes PATCH and DELETE from X-HTTP-Method-Override, for clients that can only POST."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        wanted = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        overrides = environ["REQUEST_METHOD"] == "POST" and wanted in ("PATCH", "DELETE")
        if overrides and environ.get("PATH_INFO", "").startswith((f"{PREFIX}/", f"{DIRECT}/")):
            environ["REQUEST_METHOD"] = wanted
        return self._app(environ, start_response)


def install(app: Flask) -> None:
    """Let an app take methods from the header."""
    app.wsgi_app = MethodOverride(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way


@blueprint.before_request
def check_version() -> None:
    """Refuse other versions of the protocol before anything else; raises TusVersionRefused."""
    if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != tus.VERSION:
        raise TusVersionRefused


@blueprint.after_request
def name_version(response: Response) -> Response:
    """Name the protocol's version in every answer."""
    response.headers["Tus-Resumable"] = tus.VERSION
    response.headers["Tus-Version"] = tus.VERSION
    return response


@blueprint.errorhandler(OffsetConflict)
def tell_offset(error: OffsetConflict) -> Response:
    """Tell a client that is at another byte which one is next."""
    response = problems.answer(error, g.request_id)
    response.headers["Upload-Offset"] = str(error.offset)
    return response


@blueprint.route("", methods=["OPTIONS"])
@blueprint.route("/", methods=["OPTIONS"])
@operation(Pass.NOTHING, "describe_tus", gives={200: ABLE})
def describe() -> Response:
    """Tell what this server can; asked without a login."""
    response = Response(status=200)
    response.headers["Tus-Extension"] = ",".join(tus.EXTENSIONS)
    response.headers["Tus-Max-Size"] = str(http.platform().settings.upload_max_bytes)
    response.headers["Tus-Checksum-Algorithm"] = ",".join(tus.ALGORITHMS)
    return response


@blueprint.route("/<upload_id>", methods=["OPTIONS"])
@operation(Pass.NOTHING, "describe_tus_upload", gives={200: ABLE})
def describe_upload(upload_id: str) -> Response:  # noqa: ARG001  the same for all
    """Tell what this server can, at an upload's address."""
    return describe()


@blueprint.post("")
@blueprint.post("/")
@operation(
    Action.UPLOAD,
    "create_tus_upload",
    body=BYTES_IF_ANY,
    sends=(*CREATES, "Upload-Metadata", "Upload-Concat", "Upload-Checksum"),
    gives={201: Answer(headers=("Location", "X-Video-ID", *PROGRESS))},
    errors=(UnsupportedMediaType, *intake.REFUSALS, *WRITING),
)
@idempotency.once
def create() -> Response:
    """Begin an upload, whose first bytes may come along; X-Video-ID is its video's id for life."""
    owner = tokens.uploader()
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and request.mimetype != tus.BODY_TYPE:
        abort(415, f"Send the bytes as {tus.BODY_TYPE}.")
    checksum = _checksum() if has_body else None
    wish = _wish(owner)
    with upload_slots.taken() if has_body else nullcontext():
        upload = resumable.create(http.platform(), owner, wish)
        if has_body and upload.stage is Stage.OPEN and not upload.offset:
            upload = _begin(upload, checksum)
    response = Response(status=201)
    response.headers["Location"] = f"{http.base_url()}{PREFIX}/{upload.id}"
    if not upload.is_partial:
        response.headers["X-Video-ID"] = upload.id
    return tell_progress(response, upload)


def _begin(upload: Upload, checksum: tus.Checksum | None) -> Upload:
    """Pass the first bytes on; where they are refused nobody hears of the upload, so it ends."""
    try:
        return _pass_on(upload, 0, checksum)
    except NextStreamError:
        with suppress(NextStreamError):
            resumable.terminate(http.platform(), upload)
        raise


@blueprint.route("/<upload_id>", methods=["HEAD"])
@operation(Action.UPLOAD, "get_tus_upload", sends=SPOKEN, gives={200: TOLD}, errors=OPEN)
def look(upload_id: str) -> Response:
    """Tell how far an upload is."""
    return tell(_find(upload_id))


def tell(upload: Upload) -> Response:
    """Answer HEAD for an upload."""
    upload = resumable.look(http.platform(), upload)
    response = Response(status=200)
    response.headers["Cache-Control"] = "no-store"
    if upload.length is None:
        response.headers["Upload-Defer-Length"] = "1"
    else:
        response.headers["Upload-Length"] = str(upload.length)
    for name, value in (("Upload-Metadata", upload.metadata), ("Upload-Concat", upload.concat)):
        if value:
            response.headers[name] = value
    return tell_progress(response, upload)


@blueprint.patch("/<upload_id>")
@operation(
    Action.UPLOAD,
    "append_tus_upload",
    body=BYTES,
    sends=APPENDS,
    gives={204: Answer(headers=PROGRESS)},
    errors=(Forbidden, UnsupportedMediaType, *WRITING),
)
def append(upload_id: str) -> Response:
    """Add bytes to an upload."""
    return take(_find(upload_id))


def take(upload: Upload) -> Response:
    """Answer PATCH for an upload."""
    if request.mimetype != tus.BODY_TYPE:
        abort(415, f"Send the bytes as {tus.BODY_TYPE}.")
    if upload.is_final:
        abort(403, "An upload that was put together from others takes no bytes.")
    offset, checksum = _header_number("Upload-Offset"), _checksum()
    if "Upload-Length" in request.headers:
        upload = resumable.declare(http.platform(), upload, _header_number("Upload-Length"))
    return tell_progress(Response(status=204), write(upload, offset, checksum))


@blueprint.delete("/<upload_id>")
@operation(
    Action.UPLOAD, "terminate_tus_upload", sends=SPOKEN, gives={204: Answer(headers=SPOKEN)}, errors=OPEN
)
def terminate(upload_id: str) -> Response:
    """End an upload; a video that has all its bytes stays."""
    resumable.terminate(http.platform(), _find(upload_id))
    return Response(status=204)


def _find(upload_id: str) -> Upload:
    return resumable.find(http.platform(), tokens.account(), upload_id)


def _wish(owner: Account) -> resumable.Wish:
    """Read what a client wants to upload; raises BadRequest."""
    header, concat = request.headers.get("Upload-Metadata", ""), request.headers.get("Upload-Concat", "")
    facts, partials = tus.metadata(header), tuple(map(_id_of, tus.partial_urls(concat)))
    for upload_id in partials:
        try:
            resumable.find(http.platform(), owner, upload_id)
        except NextStreamError as error:
            raise BadRequest("One of the partial uploads doesn't exist.") from error
    asked = wishes.read(facts)
    return resumable.Wish(
        length=length(is_final=bool(partials)),
        filename=facts.get("filename") or facts.get("name") or "video",
        title=asked.title,
        metadata=header,
        concat=concat,
        partials=partials,
        request_id=g.request_id,
        asked=asked.wishes,
    )


def length(*, is_final: bool) -> int | None:
    """Give the announced length; raises BadRequest where it is missing, or there in two ways."""
    defers = request.headers.get("Upload-Defer-Length")
    given = [name for name in ("Upload-Length", "Upload-Defer-Length") if name in request.headers]
    if is_final:
        if given:
            raise BadRequest("A final upload has the length of its parts; don't send Upload-Length.")
        return None
    if len(given) != 1 or defers not in (None, "1"):
        raise BadRequest("Send either Upload-Length or Upload-Defer-Length: 1.")
    return None if defers else _header_number("Upload-Length")


def _id_of(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


def _header_number(name: str) -> int:
    value = request.headers.get(name)
    if value is None:
        raise BadRequest(f"The header {name} is missing.")
    return tus.number(name, value)


def _checksum() -> tus.Checksum | None:
    header = request.headers.get("Upload-Checksum")
    return tus.Checksum.parse(header) if header else None


def write(upload: Upload, offset: int, checksum: tus.Checksum | None) -> Upload:
    """Pass the body on to the upload, in a slot, with patience for a slow client."""
    with upload_slots.taken():
        return _pass_on(upload, offset, checksum)


def _pass_on(upload: Upload, offset: int, checksum: tus.Checksum | None) -> Upload:
    environ = request.environ
    with wire.patience(environ):
        return resumable.write(
            http.platform(),
            upload,
            offset,
            _blocks(),
            request.content_length,
            checksum,
            wire.interrupter(environ),
        )


def _blocks() -> Iterator[bytes]:
    """Give the body as it arrives, and what came of one that breaks off: tus goes on from there.

    Then `g.broke_off` is there, for who has to know that the end is none.
    """
    limit = http.platform().settings.upload_max_bytes + 1
    request.max_content_length = limit
    try:
        while block := request.stream.read(wire.BLOCK_BYTES):
            yield block
    except RequestEntityTooLarge as error:
        raise UploadTooLarge from error
    except wire.BROKEN:
        g.broke_off = True


def tell_progress(response: Response, upload: Upload) -> Response:
    """Tell in an answer how far an upload is, and until when it waits for more."""
    offset = upload.length if upload.is_final else upload.offset
    response.headers["Upload-Offset"] = str(offset or 0)
    if upload.stage is not Stage.DONE:
        response.headers["Upload-Expires"] = http_date(upload.expires_at)
    return response
