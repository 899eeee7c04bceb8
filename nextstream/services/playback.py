"""What players fetch: public files of a video, found by its id alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nextstream.domain import dash_filtering, hls, lifecycle, paths
from nextstream.domain.variants import ANY, Wanted
from nextstream.domain.video import Encryption, Visibility
from nextstream.errors import NoDash, NotFound, ObjectNotFound, VideoNotReady
from nextstream.ports import Access, Platform, StoredObject
from nextstream.services import growing, segments
from nextstream.services.growing import Playlist

SIGNED_S = 3600  # a signed URL's life; players are told to forget it after half of that
CDN_KEPT_S = 3600


@dataclass(frozen=True)
class Elsewhere:
    """An address outside that has a file, and the seconds it may be remembered for."""

    url: str
    kept_s: int


def master(platform: Platform, video_id: str, wanted: Wanted = ANY) -> StoredObject | Playlist:
    """Give the master playlist with the variants that are wanted, at least one.

    Raises VideoNotFound, VideoNotReady and NoVariant.
    """
    return _filtered(platform, video_id, paths.MASTER, wanted, hls.filter_master)


def manifest(platform: Platform, video_id: str, wanted: Wanted = ANY) -> StoredObject | Playlist:
    """Give the DASH manifest as `master` does; raises NoDash as well."""
    return _filtered(platform, video_id, paths.MANIFEST, wanted, dash_filtering.filter_manifest)


def _filtered(
    platform: Platform,
    video_id: str,
    name: str,
    wanted: Wanted,
    choose: Callable[[str, Wanted], str],
) -> StoredObject | Playlist:
    found = file(platform, video_id, name)
    if wanted == ANY:
        return found
    if not isinstance(found, Playlist):
        found = Playlist(platform.storage.read(found.key).decode())
    return replace(found, text=choose(found.text, wanted))


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
        return grown or _look_again(platform, video_id, name, key)


def key(platform: Platform, access: Access, version: int) -> bytes:
    """Give the 16 bytes that open a version's segments, to whom `rights.admit` let in.

    Raises NotFound for a version that isn't encrypted, and KeyUnreadable.
    """
    found = segments.key_of(platform, access, version)
    if found is None:
        raise NotFound
    return found


def elsewhere(platform: Platform, access: Access, video_id: str, name: str) -> Elsewhere | None:
    """Give where a player fetches a segment from, where the settings say: elsewhere than from us.

    A CDN gives what it has to everyone who knows the address, so of private videos only encrypted
    segments are there. Raises NotFound for a name that can't be public.
    """
    settings = platform.settings
    if settings.delivery == "through" or not paths.is_segment(name):
        return None
    key = paths.public(video_id, name)
    if settings.delivery == "s3":
        return Elsewhere(platform.storage.locate(key, SIGNED_S), SIGNED_S // 2)
    if access.visibility is Visibility.PRIVATE and paths.version_of(name) not in access.keys:
        return None
    return Elsewhere(f"{settings.cdn_url.rstrip('/')}/{key}", CDN_KEPT_S)


def _look_again(platform: Platform, video_id: str, name: str, key: str) -> StoredObject:
    """Look once more for a list that neither was stored nor grew: an encode may have ended since."""
    missing = _missing(platform, video_id, name)
    if not paths.is_text(name):
        raise missing
    try:
        return platform.storage.head(key)
    except ObjectNotFound:
        raise missing from None


def _missing(platform: Platform, video_id: str, name: str) -> NotFound:
    with platform.database.reading() as tx:
        video = tx.videos.get(video_id)
    if name.endswith(paths.MANIFEST) and video.encryption is not Encryption.NONE:
        return NoDash()
    return NotFound() if video.state in lifecycle.ENDED else VideoNotReady()
