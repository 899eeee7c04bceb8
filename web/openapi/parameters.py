"""What every path parameter and header means, said once for all operations that have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nextstream.domain import idempotency, tus
from nextstream.errors import (
    AccountNotFound,
    KeyNotFound,
    NextStreamError,
    SessionNotFound,
    TicketRefused,
    UploadNotFound,
    VideoNotFound,
    WebhookNotFound,
)

# What the gateway lets through in a path, and a language with its script and region.
SEGMENT = r"^(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]+$"
LANGUAGE = "^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$"

_TEXT = {"type": "string"}
_BYTES = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_SECONDS = {"type": "integer", "minimum": 0}
_DATE = {"type": "string", "description": "An HTTP date (RFC 9110 section 5.6.7)."}


@dataclass(frozen=True)
class Place:
    """A parameter of a path, with an example, and the error where there is no such thing."""

    description: str
    example: str
    missing: type[NextStreamError] | None = None
    pattern: str = SEGMENT


PLACES = {
    "account_id": Place("The account's id.", "5e8f8c2a9d1b4c3f7a6e01", AccountNotFound),
    "delivery_id": Place("The delivery's id.", "0b7d9f2c4e6a8b1d3f5a7c", WebhookNotFound),
    "filename": Place("The file's name, which the title is made of where none is given.", "clip.mp4"),
    "form": Place("The form of the file.", "jpg"),
    "key_id": Place("The API key's id.", "3c1f5b7d9e2a4c6e8f0b1d", KeyNotFound),
    "language": Place("The language, as a tag of BCP 47.", "en", pattern=LANGUAGE),
    "name": Place("The file, as playlists name it; a rendition's name for a download.", "v720"),
    "number": Place("The part's number, from 1 on.", "1"),
    "secret": Place("The upload's secret, part of the URL that was given.", "x" * 43, UploadNotFound),
    "session_id": Place("The session's id.", "9a8b7c6d5e4f3a2b1c0d9e", SessionNotFound),
    "ticket": Place("The ticket, as `grant_playback` gave it in the URL.", "WyJ2Il0", TicketRefused),
    "upload_id": Place("The upload's id.", "7d3e9a1c5b2f4d6e8a0c2b", UploadNotFound),
    "version": Place("The version of the video's encode.", "1"),
    "video_id": Place("The video's id.", "2f6c1d8e4b7a9c3e5d0f1a", VideoNotFound),
    "webhook_id": Place("The webhook's id.", "6b4d2f8a1c3e5b7d9f0a2c", WebhookNotFound),
}


@dataclass(frozen=True)
class Header:
    """A header of requests or answers; `always` tells that it is never missing where it is named."""

    description: str
    schema: dict[str, Any]
    always: bool = False
    example: Any = None


REQUEST_ID = "X-Request-ID"

# Of requests.
SENT = {
    "Idempotency-Key": Header(
        "The same request under the same key is done once.",
        {**_TEXT, "pattern": idempotency.PATTERN},
        example="3f2c8e1a-7b4d-4c59-9e0f-6a1d2b3c4e5f",
    ),
    "If-Match": Header("The ETag that the change is for; else it is refused.", _TEXT, example='"3"'),
    "If-Modified-Since": Header("Answer 304 where nothing changed since.", _TEXT),
    "If-None-Match": Header("Answer 304 where this ETag is still good.", _TEXT),
    "If-Unmodified-Since": Header("Refuse what changed since.", _TEXT),
    "If-Range": Header("Send the range only where this ETag is still good.", _TEXT),
    "Last-Event-ID": Header(
        "The id of the last event that came; the stream goes on behind it.",
        {**_TEXT, "pattern": r"^[0-9]{0,18}$"},
    ),
    "Range": Header("The bytes that are wanted; one range.", _TEXT, example="bytes=0-1023"),
    "Save-Data": Header("`on` for small pictures.", _TEXT),
    "Tus-Resumable": Header("The protocol's version.", {"const": tus.VERSION}, always=True),
    "Upload-Checksum": Header(
        "The algorithm and the base64 of the body's digest.",
        {**_TEXT, "pattern": r"^(sha1 [A-Za-z0-9+/]{27}=|sha256 [A-Za-z0-9+/]{43}=)$"},
        example="sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    ),
    "Upload-Concat": Header(
        "`partial`, or `final;` and the addresses of partial uploads to be joined.",
        {**_TEXT, "pattern": "^(partial|final;.+)$"},
        example="partial",
    ),
    "Upload-Defer-Length": Header("That the length will be told later.", {"const": "1"}),
    "Upload-Length": Header("The file's length in bytes.", _BYTES, example=104857600),
    "Upload-Metadata": Header(
        "Pairs of a key and a base64 value, by commas: `filename`, `title`, `visibility`, "
        "`priority`, `encryption` and what you like.",
        {**_TEXT, "maxLength": tus.METADATA_MAX},
        example="filename Y2xpcC5tcDQ=",
    ),
    "Upload-Offset": Header("The byte that the body begins with.", _BYTES, always=True),
    REQUEST_ID: Header(
        "An id of yours for logs and events, up to 64 letters, digits, `.`, `_`, `-`.", _TEXT
    ),
}

# Of answers.
TOLD = {
    "Accept-Ranges": Header("`bytes`: ranges may be asked for.", _TEXT),
    "Content-Disposition": Header("The file's name.", _TEXT),
    "Content-Range": Header("Which bytes of how many these are.", _TEXT),
    "ETag": Header("The version of what is given.", _TEXT, always=True, example='"3"'),
    "Idempotent-Replayed": Header("`true`: it is the first answer, given again.", _TEXT),
    "Last-Modified": Header("When it was stored.", _DATE),
    "Location": Header("The address of what was made.", _TEXT, always=True),
    "RateLimit-Limit": Header("How many requests the nearest quota allows.", _SECONDS),
    "RateLimit-Policy": Header("The quota: requests, and its window in seconds.", _TEXT),
    "RateLimit-Remaining": Header("How many are left.", _SECONDS),
    "RateLimit-Reset": Header("Seconds until there are more.", _SECONDS),
    "Retry-After": Header("Seconds until a retry may help.", _SECONDS),
    "Set-Cookie": Header("Cookies for a browser, where they were asked for.", _TEXT),
    "Tus-Checksum-Algorithm": Header("Algorithms for Upload-Checksum.", _TEXT, always=True),
    "Tus-Extension": Header("Parts of tus that are spoken here.", _TEXT, always=True),
    "Tus-Max-Size": Header("The most bytes of a file.", _BYTES, always=True),
    "Tus-Resumable": Header("The protocol's version.", {"const": tus.VERSION}, always=True),
    "Upload-Concat": Header("As it was sent.", _TEXT),
    "Upload-Defer-Length": Header("That the length isn't known yet.", {"const": "1"}),
    "Upload-Expires": Header("Until when the upload waits for more.", _DATE),
    "Upload-Length": Header("The file's length in bytes.", _BYTES),
    "Upload-Metadata": Header("As it was sent.", _TEXT),
    "Upload-Offset": Header("The byte that the upload goes on at.", _BYTES, always=True),
    "WWW-Authenticate": Header("How to log in (RFC 6750).", _TEXT, always=True),
    REQUEST_ID: Header("The request's id, in logs and events as well.", _TEXT, always=True),
    "X-Video-ID": Header("The video's id, for life.", _TEXT),
}
RATE = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")


def shared() -> dict[str, Any]:
    """Give the components of all headers of requests."""
    return {name: _sent(name, header) for name, header in sorted(SENT.items())}


def shared_headers() -> dict[str, Any]:
    """Give the components of all headers of answers."""
    return {name: _told(header) for name, header in sorted(TOLD.items())}


def told(names: Iterable[str]) -> dict[str, Any]:
    """Give references to headers of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _sent(name: str, header: Header) -> dict[str, Any]:
    return {"name": name, "in": "header", **_described(header)}


def _told(header: Header) -> dict[str, Any]:
    return _described(header)


def _described(header: Header) -> dict[str, Any]:
    example = {} if header.example is None else {"example": header.example}
    must = {"required": True} if header.always else {}
    return {"description": header.description, **must, "schema": header.schema, **example}
