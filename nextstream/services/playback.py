"""What players fetch: public files of a video, found by its id alone."""

from __future__ import annotations

from dataclasses import replace

from nextstream.domain import hls, lifecycle, paths
from nextstream.domain.video import Encryption
from nextstream.errors import NoDash, NotFound, ObjectNotFound, VideoNotReady
from nextstream.ports import Access, Platform, StoredObject
from nextstream.services import growing, segments
from nextstream.services.growing import Playlist


def master(
    platform: Platform, video_id: str, max_height: int | None = None, min_height: int | None = None
) -> Playlist:
    """Give the master playlist with the variants within these heights, at least one.

    Raises VideoNotFound and VideoNotReady.
    """
    found = file(platform, video_id, paths.MASTER)
    if not isinstance(found, Playlist):
        found = Playlist(platform.storage.read(found.key).decode())
    text = hls.filter_master(found.text, max_height=max_height, min_height=min_height)
    return replace(found, text=text)


def file(platform: Platform, video_id: str, name: str) -> StoredObject | Playlist:
    """Look a public file up by its name below the video; playlists may be written while they grow.

    Raises NotFound for a name that can't be public, VideoNotFound, and VideoNotReady as long as
    the video may still get the file.
    """
    key = paths.public(video_id, name)
    try:
        return platform.storage.head(key)  # only for what is missing does the database say why
    except ObjectNotFound:
        grown = growing.playlist(platform, video_id, name) if name.endswith(".m3u8") else None
        if grown is None:
            raise _missing(platform, video_id, name) from None
        return grown


def key(platform: Platform, access: Access, version: int) -> bytes:
    """Give the 16 bytes that open a version's segments, to whom `rights.admit` let in.

    Raises NotFound for a version that isn't encrypted, and KeyUnreadable.
    """
    found = segments.key_of(platform, access, version)
    if found is None:
        raise NotFound
    return found


def _missing(platform: Platform, video_id: str, name: str) -> NotFound:
    with platform.database.transaction() as tx:
        video = tx.videos.get(video_id)
    if name.endswith(paths.MANIFEST) and video.encryption is not Encryption.NONE:
        return NoDash()
    return NotFound() if video.state in lifecycle.ENDED else VideoNotReady()
