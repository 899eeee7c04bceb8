"""What players fetch: public files of a video, found by its id alone."""

from __future__ import annotations

from nextstream.domain import hls, lifecycle, paths
from nextstream.errors import NotFound, ObjectNotFound, VideoNotReady
from nextstream.ports import Platform, StoredObject


def master(
    platform: Platform, video_id: str, max_height: int | None = None, min_height: int | None = None
) -> str:
    """Give the master playlist with the variants within these heights, at least one.

    Raises VideoNotFound and VideoNotReady.
    """
    key = file(platform, video_id, paths.MASTER).key
    text = platform.storage.read(key).decode()
    return hls.filter_master(text, max_height=max_height, min_height=min_height)


def file(platform: Platform, video_id: str, name: str) -> StoredObject:
    """Look a public file up by its name below the video.

    Raises NotFound for a name that can't be public, VideoNotFound, and VideoNotReady as long as
    the video may still get the file.
    """
    key = paths.public(video_id, name)
    try:
        return platform.storage.head(key)  # only for what is missing does the database say why
    except ObjectNotFound:
        raise _missing(platform, video_id) from None


def _missing(platform: Platform, video_id: str) -> NotFound:
    with platform.database.transaction() as tx:
        video = tx.videos.get(video_id)
    return NotFound() if video.state in lifecycle.ENDED else VideoNotReady()
