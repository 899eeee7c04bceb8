"""How a file's bytes get to a player: whole or by range, compressed, or from elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from flask import Response, request
from werkzeug.http import is_resource_modified
from werkzeug.wsgi import wrap_file

from nextstream.domain import paths
from nextstream.errors import NotFound, PreconditionFailed
from nextstream.ports import StoredObject
from nextstream.services.playback import Elsewhere
from web import http

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LOCATE_S = 60
WORTH_BYTES = 256  # less doesn't get smaller by as much as its headers grow
LEVEL = 6
# By these a client asks for a part, or under a condition.
ASKING = {
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
}


def send_text(body: bytes, name: str, caching: str) -> Response:
    """Give a text that was written now, compressed for who takes that."""
    response = _begin(name, caching)
    response.data = body
    response.add_etag()
    if _is_packed(len(body)):
        _pack(response, body)
    return weigh(response)


def send_stored(stored: StoredObject, caching: str) -> Response:
    """Give a stored file as the request's headers ask: whole, a range, or not again."""
    response = _begin(stored.key, caching)
    response.last_modified = stored.modified_at
    response.set_etag(stored.etag)
    if paths.is_text(stored.key):
        return _send_whole(response, http.platform().storage.read(stored.key))
    start, size_bytes = offer(response, stored.size_bytes)
    if request.method != "HEAD" and response.status_code in (200, 206):
        _attach(response, stored, start, size_bytes)
    return response


def send_elsewhere(found: Elsewhere, sharing: str) -> Response:
    """Send the player to where the bytes are; it may remember that while the address is good."""
    response = Response(status=302)
    response.headers["Location"] = found.url
    response.headers["Cache-Control"] = f"{sharing}, max-age={found.kept_s}"
    return response


def offer(response: Response, size_bytes: int) -> tuple[int, int]:
    """Answer a request for a file of this size as its headers ask: whole, a range, or not again.

    Gives the first byte and the number of bytes to send. Raises PreconditionFailed.
    """
    response.content_length = size_bytes
    if not request.environ.keys() & ASKING:  # as most requests of players: nothing is to be weighed
        response.headers["Accept-Ranges"] = "bytes"
        return 0, size_bytes
    _check_age(response)
    # What is asked under a condition comes before the range (RFC 9110, 13.2.2), which werkzeug turns.
    etag, date = response.headers.get("ETag"), response.headers.get("Last-Modified")
    is_wanted = is_resource_modified(_asked(), etag, last_modified=date)
    is_part = is_wanted and _wants_one_range(size_bytes) and _has_part(response)
    weigh(response, accept_ranges=is_part, complete_length=size_bytes)
    response.headers["Accept-Ranges"] = "bytes"
    if response.status_code != 206:
        return 0, size_bytes
    start, stop = response.content_range.start or 0, response.content_range.stop or 0
    return start, stop - start


def _send_whole(response: Response, body: bytes) -> Response:
    """Give a stored text, read at once: it may be replaced, by one of another length, at any time."""
    if _is_packed(len(body)):
        _check_age(response)
        _pack(response, body)
        return weigh(response)
    start, size_bytes = offer(response, len(body))
    if response.status_code in (200, 206):
        response.data = body[start : start + size_bytes]
    return response


def weigh(response: Response, **ranges: Any) -> Response:
    """Answer under the request's conditions: maybe the client has it. Raises PreconditionFailed."""
    response.make_conditional(_asked(), **ranges)
    if response.status_code == 412:  # with a file's headers, and so the promise of its bytes
        raise PreconditionFailed
    return response


def _begin(name: str, caching: str) -> Response:
    response = Response(content_type=paths.mime_type(name))
    response.headers["Cache-Control"] = caching
    if paths.is_text(name):
        response.vary.add("Accept-Encoding")
    return response


def _is_packed(size_bytes: int) -> bool:
    """Tell whether a text is compressed. A range is of the plain bytes, so that If-Range fits them."""
    wanted = request.accept_encodings.quality("gzip") > 0 and "Range" not in request.headers
    return wanted and size_bytes >= WORTH_BYTES


def _pack(response: Response, body: bytes) -> None:
    """Compress a body, under an ETag of its own (RFC 9110, 8.8.3.3)."""
    response.data = gzip.compress(body, LEVEL, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{response.get_etag()[0]}-gzip")


def _check_age(response: Response) -> None:
    """Raise PreconditionFailed where a file is newer than a client can use (RFC 9110, 13.1.4)."""
    wanted, changed_at = request.if_unmodified_since, response.last_modified
    if wanted and changed_at and changed_at > wanted and not request.if_match:
        raise PreconditionFailed


def _asked() -> WSGIEnvironment:
    """Give the request as werkzeug understands it: a file that is there meets `If-Match: *`.

    RFC 9110, 13.1.1.
    """
    if not request.if_match.star_tag:
        return request.environ
    return {name: value for name, value in request.environ.items() if name != "HTTP_IF_MATCH"}


def _has_part(response: Response) -> bool:
    """Tell whether a client's part is surely of this file: neither a weak ETag nor another date says so.

    A strong ETag is compared by werkzeug. RFC 9110, 13.1.5.
    """
    if request.headers.get("If-Range", "").lstrip().startswith("W/"):
        return False
    return request.if_range.date in (None, response.last_modified)


def _wants_one_range(size_bytes: int) -> bool:
    """Tell whether to mind the Range header: one range of bytes, for GET; others we may ignore.

    RFC 9110, 14.2.
    """
    wanted = request.range if request.method == "GET" else None
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return False
    return wanted.ranges[0][0] >= -size_bytes  # the last bytes, and more of them than there are


def _attach(response: Response, stored: StoredObject, start: int, size_bytes: int) -> None:
    """Give a response the bytes its headers promise.

    The server's own wrapper begins where the file stands and ends by Content-Length (PEP 3333), so
    the kernel sends ranges too; any other one goes on to the file's end.
    """
    storage, environ = http.platform().storage, request.environ
    path = storage.locate(stored.key, LOCATE_S)
    body: Iterator[bytes]
    if path.startswith("/") and (size_bytes == stored.size_bytes or "wsgi.file_wrapper" in environ):
        body = wrap_file(environ, _open(path, start))  # type: ignore[assignment]  # gunicorn's sendfile
    else:
        body = storage.stream(stored.key, start, size_bytes)
    response.response = body
    response.direct_passthrough = True


def _open(path: str, start: int) -> BinaryIO:
    """Open a file where its bytes are wanted from; raises NotFound where it was just removed."""
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115  the wrapper closes it; a Path costs as much again
    except FileNotFoundError as error:
        raise NotFound from error
    file.seek(start)
    return file
