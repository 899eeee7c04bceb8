"""The files above a video's encodes, which lead players to the public one, whatever becomes of others.

An encode writes them before it is noted as public. One that is cancelled or fails in between, or whose
worker is killed there, leaves them naming files that are about to go.
"""

from __future__ import annotations

import structlog

from nextstream.domain import leading, paths
from nextstream.domain.video import State, Video
from nextstream.errors import ObjectNotFound, VideoNotFound
from nextstream.ports import Platform

log = structlog.get_logger()

_LISTS = (paths.MASTER, paths.MANIFEST, paths.STORYBOARD, paths.STORYBOARD_JSON)
_PICTURES = (paths.STORYBOARD, paths.STORYBOARD_JSON, paths.POSTER)


def restore(platform: Platform, video_id: str) -> None:
    """Let players be led to the public encode, if they aren't; where none is, to nothing.

    While an encode goes on nothing is changed, since it may be publishing. May run twice.
    """
    try:
        with platform.database.reading() as tx:
            video = tx.videos.get(video_id)
    except VideoNotFound:
        return
    if video.state is State.ENCODING:
        return
    changed = [name for name in (*_LISTS, paths.POSTER) if _restore(platform, video, name)]
    if changed:
        version = video.public_version
        log.warning("players are led back", video_id=video_id, version=version, files=changed)


def _restore(platform: Platform, video: Video, name: str) -> bool:
    """Write a file as the public encode's own is, and tell whether it was another."""
    above, folder = f"{paths.root(video.id)}/{name}", paths.version_folder(video.shown_version)
    below = f"{paths.THUMBS}/{name}" if name in _PICTURES else name
    found = _read(platform, above)  # first, for whoever changes both changes this one last
    own = f"{paths.tree(video.id, video.shown_version)}/{below}"
    wanted = _read(platform, own) if video.public_version else None
    if wanted is not None and name in _LISTS:
        prefix = f"{folder}/{below.removesuffix(name)}"
        wanted = leading.lift(name, wanted.decode(), prefix).encode()
    if found == wanted:
        return False
    if wanted is None:
        platform.storage.remove(above)
    else:
        platform.storage.put(above, wanted, paths.mime_type(above))
    return True


def _read(platform: Platform, key: str) -> bytes | None:
    try:
        return platform.storage.read(key)
    except ObjectNotFound:
        return None
