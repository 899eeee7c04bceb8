"""Still pictures of a video: the poster, the storyboard, and any frame on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nextstream.domain import lifecycle, paths, storyboard
from nextstream.domain.plan import GOPS_PER_SEGMENT, Piece, Plan
from nextstream.domain.video import Rendition, Segment, Video
from nextstream.errors import NotFound, VideoNotReady
from nextstream.ports import EncodedPiece, Platform
from nextstream.services import packaging, segments

POSTER_SIDE = 720  # no rung with a longer short side is a poster's
POSTER_WITHIN_S = 60  # a poster from later on might tell too much
WIDEST = 1920
LEAST_FRAME_S = 0.001  # shorter than any frame


@dataclass(frozen=True)
class Frame:
    """One frame of a rung; `index` counts within the GOP that begins at `offset` in its segment."""

    version: int
    rendition: Rendition
    segment: Segment
    offset: int
    size_bytes: int
    index: int


@dataclass(frozen=True)
class Thumbnail:
    """A picture that can be made: `etag` tells it from all others before it is."""

    video: Video
    frame: Frame
    width: int
    height: int
    etag: str


def store_sheet(platform: Platform, video: Video, plan: Plan, piece: Piece, made: EncodedPiece) -> None:
    """Store a chunk's part of the storyboard; may run twice, with the same bytes."""
    sheet = storyboard.sheet(plan, piece)
    assert sheet is not None  # noqa: S101  the encoder makes one only where the plan has it
    packaging.put(
        platform, paths.thumbs(video.id, video.version, paths.sheet_name(sheet.first)), made.data
    )


def publish(platform: Platform, video: Video, renditions: Sequence[Rendition]) -> None:
    """Write the storyboard's lists and the poster, where the plan has them; may run twice."""
    plan = video.plan
    if plan is None or not plan.tile_frames or not plan.rungs:
        return
    poster = _picture(platform, video, _best(video.version, renditions), "jpg")
    root, tree = paths.root(video.id), paths.tree(video.id, video.version)
    above = f"{paths.version_folder(video.version)}/{paths.THUMBS}/"
    for folder, prefix in ((f"{tree}/{paths.THUMBS}", ""), (root, above)):
        packaging.put(platform, f"{folder}/{paths.STORYBOARD}", storyboard.webvtt(plan, prefix).encode())
        packaging.put(
            platform, f"{folder}/{paths.STORYBOARD_JSON}", storyboard.describe(plan, prefix).encode()
        )
        packaging.put(platform, f"{folder}/{paths.POSTER}", poster)


def find(platform: Platform, video_id: str, time_s: float, width: int) -> Thumbnail:
    """Find the frame shown at a time, or the last, in the smallest rung that is as wide as `width`.

    The picture is never wider than the rung. While the video is being encoded, the parts that are
    done can be asked for. Raises VideoNotFound, VideoNotReady, and NotFound where there is no picture.
    """
    with platform.database.reading() as tx:
        video = tx.videos.get(video_id)
        is_finished = video.public_version is not None
        done = [] if is_finished else tx.pieces.list(video_id, video.version)
    made = [part for task in done for part in task.renditions]
    parts = video.renditions if is_finished else packaging.join(video.plan, made) if video.plan else ()
    rungs = sorted((part for part in parts if part.is_video), key=lambda part: part.width)
    if is_finished and rungs:  # all is there, so what lies beyond is the end
        time_s = min(time_s, float(rungs[0].duration_s) - LEAST_FRAME_S)
    frames = [frame for rung in rungs if (frame := _locate(video.shown_version, rung, time_s))]
    if not frames:
        raise NotFound if is_finished or video.state in lifecycle.ENDED else VideoNotReady
    return _fit(video, frames, width)


def _fit(video: Video, frames: Sequence[Frame], width: int) -> Thumbnail:
    """Take the smallest of one frame's pictures that is wide enough."""
    frame = next((each for each in frames if each.rendition.width >= width), frames[-1])
    width = min(width, frame.rendition.width)
    height = max(1, round(width * frame.rendition.height / frame.rendition.width))
    place = f"{frame.segment.number}-{frame.offset}-{frame.index}"
    etag = f"{frame.version}-{frame.rendition.name}-{place}-{width}"
    return Thumbnail(video, frame, width, height, etag)


def make(platform: Platform, found: Thumbnail, form: str) -> bytes:
    """Decode a thumbnail as `jpg` or `webp`; raises EncoderBusy and EncoderFailed."""
    return _picture(platform, found.video, found.frame, form, (found.width, found.height))


def _best(version: int, renditions: Sequence[Rendition]) -> Frame:
    """Choose the poster: the keyframe that took the most bytes has the most to see, and isn't black."""
    rungs = sorted((r for r in renditions if r.is_video), key=lambda r: r.width * r.height)
    fitting = [r for r in rungs if min(r.width, r.height) <= POSTER_SIDE]
    rung = (fitting or rungs[:1])[-1]
    first = max(1, POSTER_WITHIN_S * rung.timescale // rung.gop_ticks)
    frames = [_frame(version, rung, s, n, 0) for s in rung.segments for n in range(len(s.keyframes))]
    return max(frames[:first], key=_keyframe_bytes)


def _keyframe_bytes(frame: Frame) -> int:
    return next(k.size_bytes for k in frame.segment.keyframes if k.offset == frame.offset)


def _locate(version: int, rung: Rendition, time_s: float) -> Frame | None:
    """Find the frame shown at a time in the stored segments; None where it isn't there."""
    gop, ticks = divmod(
        round(time_s * rung.timescale), rung.gop_ticks
    )  # a float may fall short of a tick
    wanted, within = divmod(gop, GOPS_PER_SEGMENT)
    segment = next((s for s in rung.segments if s.number == wanted + 1), None)
    if segment is None or within >= len(segment.keyframes):
        return None
    # What was encoded before frames were counted shows the keyframe.
    return _frame(version, rung, segment, within, ticks // (rung.frame_ticks or rung.gop_ticks))


def _frame(version: int, rung: Rendition, segment: Segment, gop: int, index: int) -> Frame:
    starts = [key.offset for key in segment.keyframes] + [segment.size_bytes]
    return Frame(version, rung, segment, starts[gop], starts[gop + 1] - starts[gop], index)


def _picture(
    platform: Platform, video: Video, frame: Frame, form: str, size: tuple[int, int] | None = None
) -> bytes:
    """Read one GOP from storage, and decode it up to the frame."""
    name, number = frame.rendition.name, frame.segment.number
    width, height = size or (frame.rendition.width, frame.rendition.height)
    run = (frame.version, name, number, frame.offset, frame.size_bytes)
    gop = b"".join(segments.stream(platform, video, *run))
    film = platform.storage.read(paths.init(video.id, frame.version, name)) + gop
    return platform.encoder.picture(film, frame.index, width, height, form)
