"""Media segments as they lie in storage: in the clear, or encrypted by the key of their version."""

from __future__ import annotations

from collections.abc import Iterator

from nextstream.domain import encryption, paths
from nextstream.domain.video import Video
from nextstream.ports import Access, Platform


def put(platform: Platform, video: Video, rendition: str, number: int, body: bytes) -> None:
    """Store a segment of the version that is worked on; may run twice, with the same bytes."""
    key = key_of(platform, video, video.version)
    name = paths.segment(video.id, video.version, rendition, number)
    stored = encryption.encrypt(body, key, number) if key else body
    platform.storage.put(name, stored, paths.mime_type(name))


def stream(
    platform: Platform,
    video: Video,
    version: int,
    rendition: str,
    number: int,
    offset: int,
    size_bytes: int,
) -> Iterator[bytes]:
    """Give a run of a segment in the clear, in blocks; it must end within the segment."""
    key, name = key_of(platform, video, version), paths.segment(video.id, version, rendition, number)
    if key is None:
        return platform.storage.stream(name, offset, size_bytes)
    span = encryption.window(offset, size_bytes)
    blocks = platform.storage.stream(name, span.offset, span.size_bytes)
    return encryption.decrypt(blocks, key, number, offset, size_bytes)


def key_of(platform: Platform, video: Video | Access, version: int) -> bytes | None:
    """Give the key of a version's segments, None where they are in the clear; raises KeyUnreadable."""
    sealed = video.keys.get(version)
    return encryption.unseal(sealed, platform.settings.secret_key) if sealed else None
