"""What no service should see: requests that two servers could understand in two ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nextstream.errors import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Names of headers in Connection are removed on the way, so a client could remove one that matters.
_CONNECTION = frozenset({"close", "keep-alive", "upgrade", "te", "http2-settings", ""})
_SEPARATORS = re.compile(r"[/\\\x00-\x1f\x7f]")


def check(environ: WSGIEnvironment) -> None:
    """Raise BadRequest for odd paths, transfer encodings, Connection headers and a missing Host."""
    _check_path(target_of(environ).partition("?")[0])
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").strip().lower() != "chunked":
        raise BadRequest("Only the transfer encoding `chunked` is understood.")
    names = {name.strip().lower() for name in environ.get("HTTP_CONNECTION", "").split(",")}
    if not names <= _CONNECTION:
        raise BadRequest("The header Connection may name close, keep-alive, upgrade and te alone.")
    if not environ.get("HTTP_HOST") and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("The header Host is missing.")  # RFC 9112 section 3.2


def target_of(environ: WSGIEnvironment) -> str:
    """Give the path and query as they were sent: PATH_INFO has lost how it was quoted."""
    return str(environ["RAW_URI"])


def _check_path(path: str) -> None:
    """Refuse paths with quoted separators, empty segments or dots."""
    if not path.startswith("/"):
        raise BadRequest("The request's target must begin with a slash.")
    segments = [unquote(segment) for segment in path[1:].split("/")]
    for segment in segments:
        if segment in (".", "..") or _SEPARATORS.search(segment):
            raise BadRequest("The path has a segment that is not allowed.")
    if "" in segments[:-1]:
        raise BadRequest("The path has an empty segment.")
