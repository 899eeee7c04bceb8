"""Downloads: a rendition as one MP4, from the stored segments as they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from nextstream.domain import hls, lifecycle, mp4, paths
from nextstream.domain.mp4 import Fragment, Movie
from nextstream.domain.video import Rendition, Segment, Span, Video
from nextstream.errors import NotFound, ObjectNotFound, VideoNotReady
from nextstream.ports import Platform
from nextstream.services import segments

log = structlog.get_logger()

READERS = 16  # moofs that are fetched at once: each is a small request
MOOF_BYTES = 4096  # holds the moof of two seconds at 120 frames per second, and of most others

_HEAD = struct.Struct(">QI")  # of an index: the bytes of the file's head, and the number of runs
_RUN = struct.Struct(">BIQQ")  # track, segment, offset, bytes


@dataclass(frozen=True)
class Part:
    """A run of the file's bytes, and where they lie: in an object, or in a segment of a rendition."""

    key: str
    span: Span
    rendition: str = ""
    number: int = 0


@dataclass(frozen=True)
class Download:
    """A file that can be sent from any byte on; `etag` changes when its bytes do."""

    video: Video
    rendition: Rendition
    parts: tuple[Part, ...]
    etag: str

    @property
    def size_bytes(self) -> int:
        """Give the bytes of the whole file."""
        return sum(part.span.size_bytes for part in self.parts)


def on_offer(platform: Platform, video: Video) -> Sequence[Rendition]:
    """Give the renditions that can be downloaded: pictures and sound of a finished encode, or none."""
    is_finished = platform.settings.downloads and video.public_version is not None
    return tuple(r for r in video.renditions if not r.is_text) if is_finished else ()


def find(platform: Platform, video_id: str, name: str, *, sound: bool) -> Download:
    """Find a rendition's download: a rung with the default sound beside it, or a `sound` alone.

    The first time, the moof of every fragment is read. Raises VideoNotFound, VideoNotReady and
    NotFound.
    """
    with platform.database.reading() as tx:
        video = tx.videos.get(video_id)
    if video.public_version is None and video.state not in lifecycle.ENDED:
        raise VideoNotReady
    offered = on_offer(platform, video)
    chosen = next((r for r in offered if r.name == name and r.is_video != sound), None)
    if chosen is None:
        raise NotFound
    sounds = [r for r in offered if r.is_audio and not r.twin]
    tracks = (chosen,) if sound or not sounds else (chosen, hls.default_sound(sounds))
    key = paths.download_index(video.id, video.shown_version, name)
    try:
        parts = tuple(_read_index(platform, video, tracks, key))
    except ObjectNotFound:
        _write_index(platform, key, _build(platform, video, tracks))
        parts = tuple(_read_index(platform, video, tracks, key))
    etag = f"{video.shown_version}-{name}-{sum(part.span.size_bytes for part in parts):x}"
    return Download(video, chosen, parts, etag)


def stream(platform: Platform, download: Download, offset: int, size_bytes: int) -> Iterator[bytes]:
    """Give a run of the file's bytes in blocks; memory holds one."""
    at, end = 0, offset + size_bytes
    for part in download.parts:
        first, last = max(offset - at, 0), min(end - at, part.span.size_bytes)
        if first < last:
            yield from _read(platform, download.video, part, part.span.offset + first, last - first)
        at += part.span.size_bytes
        if at >= end:
            return


def _read(platform: Platform, video: Video, part: Part, offset: int, size_bytes: int) -> Iterator[bytes]:
    if not part.number:
        return platform.storage.stream(part.key, offset, size_bytes)
    where = (video.shown_version, part.rendition, part.number)
    return segments.stream(platform, video, *where, offset, size_bytes)


def _build(platform: Platform, video: Video, tracks: Sequence[Rendition]) -> Movie:
    """Read the moofs of all segments, and make the file's head of them."""
    with ThreadPoolExecutor(READERS) as pool:

        def read(rendition: Rendition) -> Iterator[Fragment]:
            jobs = pool.map(lambda s: _fragments(platform, video, rendition, s), rendition.segments)
            return (fragment for found in jobs for fragment in found)

        inits = [
            platform.storage.read(paths.init(video.id, video.shown_version, track.name))
            for track in tracks
        ]
        made = mp4.make([(init, t.timescale, read(t)) for init, t in zip(inits, tracks, strict=True)])
    log.info("download indexed", video_id=video.id, rendition=tracks[0].name, runs=len(made.runs))
    return made


def _fragments(
    platform: Platform, video: Video, rendition: Rendition, segment: Segment
) -> list[Fragment]:
    """Read the moofs of a segment, and none of its samples."""
    where = (video.shown_version, rendition.name, segment.number)

    def read(offset: int, size_bytes: int) -> bytes:
        within = min(size_bytes, segment.size_bytes - offset)
        return b"".join(segments.stream(platform, video, *where, offset, within))

    found, at = [], 0
    while at < segment.size_bytes:
        head = read(at, MOOF_BYTES)
        moof_bytes = int.from_bytes(head[:4], "big")
        if len(head) < moof_bytes + 8:  # the mdat's size comes behind it
            head += read(at + len(head), moof_bytes + 8 - len(head))
        found.append(Fragment(segment.number, at, head[:moof_bytes]))
        at += moof_bytes + int.from_bytes(head[moof_bytes : moof_bytes + 4], "big")
    return found


def _write_index(platform: Platform, key: str, movie: Movie) -> None:
    """Keep a file's head and runs beside the rendition; may run twice, with the same bytes."""
    rows = [_RUN.pack(r.track, r.number, r.span.offset, r.span.size_bytes) for r in movie.runs]
    body = _HEAD.pack(len(movie.head), len(movie.runs)) + b"".join(rows) + movie.head
    platform.storage.put(key, body, paths.mime_type(key))


def _read_index(
    platform: Platform, video: Video, tracks: Sequence[Rendition], key: str
) -> Iterator[Part]:
    """Give the file's parts: the head, which lies in the index itself, and the runs."""
    head = b"".join(platform.storage.stream(key, 0, _HEAD.size))
    head_bytes, runs = _HEAD.unpack(head)
    yield Part(key, Span(_HEAD.size + runs * _RUN.size, head_bytes))
    rows = b"".join(platform.storage.stream(key, _HEAD.size, runs * _RUN.size))
    for track, number, offset, size_bytes in _RUN.iter_unpack(rows):
        name = tracks[track].name
        place = paths.segment(video.id, video.shown_version, name, number)
        yield Part(place, Span(offset, size_bytes), name, number)
