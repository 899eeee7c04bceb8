"""What players fetch: public files of a video, found by its id alone."""

from __future__ import annotations

from dataclasses import replace

from nextstream.domain import hls, lifecycle, paths
from nextstream.errors import NotFound, ObjectNotFound, VideoNotReady
from nextstream.ports import Platform, StoredObject
from nextstream.services import growing
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
            raise _missing(platform, video_id) from None
        return grown


def _missing(platform: Platform, video_id: str) -> NotFound:
    with platform.database.transaction() as tx:
        video = tx.videos.get(video_id)
    return NotFound() if video.state in lifecycle.ENDED else VideoNotReady()
