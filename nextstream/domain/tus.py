"""The headers of tus 1.0.0, the protocol of resumable uploads (tus.io), read and written."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from nextstream.errors import BadRequest

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "termination",
    "checksum",
    "expiration",
    "concatenation",
)
ALGORITHMS = ("sha1", "sha256")
BODY_TYPE = "application/offset+octet-stream"
METADATA_MAX = 4096  # bytes of a header; web servers take no more than twice that

_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # ASCII without spaces and commas
_NUMBER = re.compile(r"\d{1,18}")


class Checksum:
    """The digest that a client announced, and the one of the bytes that came."""

    def __init__(self, algorithm: str, expected: bytes) -> None:
        self._expected = expected
        self._digest = hashlib.new(algorithm, usedforsecurity=False)

    @classmethod
    def parse(cls, header: str) -> Checksum:
        """Read Upload-Checksum; raises BadRequest for an algorithm that isn't ours."""
        algorithm, _, value = header.partition(" ")
        if algorithm not in ALGORITHMS:
            raise BadRequest(f"Upload-Checksum must be of {' or '.join(ALGORITHMS)}.")
        return cls(algorithm, _decode("Upload-Checksum", value))

    def update(self, block: bytes) -> None:
        """Count bytes in."""
        self._digest.update(block)

    def fits(self) -> bool:
        """Tell whether the bytes that came are those that were announced."""
        return self._digest.digest() == self._expected


def number(name: str, value: str) -> int:
    """Read a header that counts bytes; raises BadRequest."""
    if not _NUMBER.fullmatch(value):
        raise BadRequest(f"{name} must be a number of bytes.")
    return int(value)


def metadata(header: str) -> dict[str, str]:
    """Read Upload-Metadata; raises BadRequest for keys that repeat and values that are no base64."""
    if len(header) > METADATA_MAX:
        raise BadRequest(f"Upload-Metadata may have {METADATA_MAX} bytes.")
    found: dict[str, str] = {}
    for pair in header.split(",") if header else ():
        key, _, value = pair.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in found:
            raise BadRequest("Upload-Metadata needs keys of ASCII characters, each once.")
        found[key] = _decode("Upload-Metadata", value).decode(errors="replace")
    return found


def partial_urls(concat: str) -> tuple[str, ...]:
    """Read Upload-Concat: the addresses of a final upload's parts, none for a partial one."""
    if concat in ("", "partial"):
        return ()
    urls = tuple(concat.removeprefix("final;").split())
    if not concat.startswith("final;") or not urls:
        raise BadRequest("Upload-Concat must be `partial`, or `final;` with the partial uploads.")
    return urls


def _decode(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{name} needs its value in base64.") from error
