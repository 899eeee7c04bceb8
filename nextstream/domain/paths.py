"""Where everything of a video lies in storage, and the names players see."""

from __future__ import annotations

import re
import secrets

from nextstream.errors import NotFound

SOURCE = "source"
MASTER = "master.m3u8"
MANIFEST = "manifest.mpd"
INIT = "init.mp4"
PLAYLIST = "index.m3u8"
IFRAMES = "iframes.m3u8"
THUMBS = "thumbs"
POSTER = "poster.jpg"
STORYBOARD = "storyboard.vtt"
STORYBOARD_JSON = "storyboard.json"
TEXT = "text.vtt"
SUBTITLES = "subtitles"  # those that users added
KEY = "key"

MIME_TYPES = {
    "m3u8": "application/vnd.apple.mpegurl",  # RFC 8216, section 4
    "mpd": "application/dash+xml",
    "mp4": "video/mp4",
    "m4a": "audio/mp4",
    "m4s": "video/iso.segment",
    "vtt": "text/vtt",
    "json": "application/json",
    "jpg": "image/jpeg",
    "webp": "image/webp",
}

_PUBLIC = re.compile(
    r"(?:v[1-9]\d{0,5}/)?(?:[a-z0-9][a-z0-9.-]{0,63}/){0,2}[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
)
_VERSION = re.compile(r"v([1-9]\d{0,5})/")
# An encode's folder, and what may become one when more is added.
_TREE = re.compile(r"videos/[^/]+/v\d+/")
_TOWARDS_TREE = re.compile(r"v?i?d?e?o?s?|videos/[^/]*|videos/[^/]+/(v\d*)?")


def new_id() -> str:
    """Make a video id: 22 characters, 88 bits, safe in a URL and as a file's name."""
    return secrets.token_hex(11)


def root(video_id: str) -> str:
    """Give the folder that holds all of a video, source included."""
    return f"videos/{video_id}"


def source(video_id: str) -> str:
    """Give the key of the uploaded file, which is private."""
    return f"{root(video_id)}/{SOURCE}"


def partial(upload_id: str) -> str:
    """Give the key of a part of a parallel upload, until it is joined with the others."""
    return f"uploads/{upload_id}/{SOURCE}"


def version_folder(version: int) -> str:
    """Give the folder name of one encode; it makes its segments immutable for caches."""
    return f"v{version}"


def version_of(name: str) -> int | None:
    """Give the encode that a public file's name is of; None for what lies above."""
    found = _VERSION.match(name)
    return int(found[1]) if found else None


def video_of(key: str) -> str:
    """Give the id of the video that a key is of."""
    return key.split("/")[1]


def tree(video_id: str, version: int) -> str:
    """Give the folder of one encode's public files."""
    return f"{root(video_id)}/{version_folder(version)}"


def init(video_id: str, version: int, rendition: str) -> str:
    """Give the key of a rendition's init segment."""
    return f"{tree(video_id, version)}/{rendition}/{INIT}"


def segment_name(number: int) -> str:
    """Give the file name of a media segment; numbers start at 1."""
    return f"{number:05d}.m4s"


def segment(video_id: str, version: int, rendition: str, number: int) -> str:
    """Give the key of a media segment."""
    return f"{tree(video_id, version)}/{rendition}/{segment_name(number)}"


def sheet_name(first_tile: int) -> str:
    """Give the file name of a sheet of the storyboard, by its first tile; tiles count from 0."""
    return f"{first_tile:05d}.jpg"


def thumbs(video_id: str, version: int, name: str) -> str:
    """Give the key of a small picture, or of a list of some."""
    return f"{tree(video_id, version)}/{THUMBS}/{name}"


def download_index(video_id: str, version: int, rendition: str) -> str:
    """Give the key of what a rendition's download is made by; no public file has this ending."""
    return f"{tree(video_id, version)}/{rendition}/download.index"


def text(video_id: str, version: int, rendition: str) -> str:
    """Give the key of a rendition of subtitles."""
    return f"{tree(video_id, version)}/{rendition}/{TEXT}"


def uploaded_text(video_id: str, rendition: str) -> str:
    """Give the key of subtitles that a user added; a later encode takes them from there."""
    return f"{root(video_id)}/{SUBTITLES}/{rendition}.vtt"


def public(video_id: str, name: str) -> str:
    """Give the key behind /v/{id}/{name}; raises NotFound for the source and anything odd."""
    if not _PUBLIC.fullmatch(name) or ".." in name or name.rpartition(".")[2] not in MIME_TYPES:
        raise NotFound
    return f"{root(video_id)}/{name}"


def is_public(key: str) -> bool:
    """Tell keys of an encode's files, which players fetch, from sources and what uploads leave."""
    return bool(_TREE.match(key))


def may_be_public(prefix: str) -> bool:
    """Tell whether some keys under a prefix are public."""
    return is_public(prefix) or bool(_TOWARDS_TREE.fullmatch(prefix))


def mime_type(key: str) -> str:
    """Give the media type of a stored file by its ending."""
    return MIME_TYPES.get(key.rpartition(".")[2], "application/octet-stream")


def is_text(name: str) -> bool:
    """Tell files that get much smaller when they are compressed."""
    return name.endswith((".m3u8", ".mpd", ".vtt", ".json"))


def is_segment(name: str) -> bool:
    """Tell media from what names it: init segments and media segments, the bulk of all bytes."""
    return name.endswith((".m4s", f"/{INIT}"))


def is_immutable(name: str) -> bool:
    """Tell files of an encode that never change once stored from playlists, and from what lies above."""
    return name.endswith((".m4s", ".mp4")) or (f"/{THUMBS}/" in name and name.endswith(".jpg"))
