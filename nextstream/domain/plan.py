"""The plan of an encode: everything later steps need, so any worker can do any piece at any time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate

from nextstream.domain.video import SourceInfo


class Kind(StrEnum):
    """What a piece of work is."""

    PROBE = "probe"
    VIDEO = "video"
    AUDIO = "audio"
    PUBLISH = "publish"


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: the picture's size and its rate control (capped CRF)."""

    name: str
    width: int
    height: int
    crf: int
    maxrate_bps: int
    bufsize_bits: int


@dataclass(frozen=True)
class Voice:
    """One audio track as it is encoded: `source_index` is the stream in the source."""

    name: str
    source_index: int
    channels: int
    bitrate_bps: int
    language: str = "und"
    title: str | None = None


@dataclass(frozen=True)
class Piece:
    """A unit of work that one worker does alone.

    A video piece is a chunk: `frames` frames from `first_frame` on, whole segments of them, in
    all of `rungs`. An audio piece is the whole of one track, named by `voice`.
    """

    name: str
    kind: Kind
    first_frame: int = 0
    frames: int = 0
    rungs: tuple[str, ...] = ()
    voice: str | None = None


@dataclass(frozen=True)
class Plan:
    """One frame grid for all rungs, and the pieces it is cut into.

    Frame n is shown at `origin_s + n / rate` on the source's clock. `container_start_s` is
    what ffmpeg counts a seek from. The storyboard has a tile each `tile_frames`; 0 makes none.
    """

    rate: Fraction
    frames: int
    gop_frames: int
    segment_frames: int
    origin_s: Fraction
    container_start_s: Fraction
    duration_s: Fraction
    preset: str
    source_video_index: int | None
    rungs: tuple[Rung, ...]
    voices: tuple[Voice, ...]
    pieces: tuple[Piece, ...]
    tile_frames: int = 0

    @property
    def segment_s(self) -> Fraction:
        """Give the seconds of a whole segment."""
        return self.segment_frames / self.rate

    @property
    def segments(self) -> int:
        """Give the number of segments, the last of which may be short."""
        return -(-self.frames // self.segment_frames)

    @property
    def timescale(self) -> int:
        """Give the video timescale, in which every frame lasts a whole number of ticks."""
        return self.rate.numerator * (1 if self.rate.numerator >= 1000 else 1000)

    @property
    def gop_ticks(self) -> int:
        """Give the duration of a whole GOP in the video timescale."""
        return int(self.gop_frames * self.timescale / self.rate)

    def piece(self, name: str) -> Piece:
        """Give a piece by its name; raises KeyError."""
        return {piece.name: piece for piece in self.pieces}[name]


PROBE = Piece("probe", Kind.PROBE)
PUBLISH = Piece("publish", Kind.PUBLISH)

# Formats whose index lets ffmpeg start at the keyframe before any frame, so that a chunk's
# frames are those of a whole decode (framemd5). Others are encoded as one chunk: a seek in
# MPEG-TS may land between keyframes and give broken pictures.
EXACT_SEEK_FORMATS = frozenset({"mov", "mp4", "matroska", "webm"})

NATURAL_RATES = tuple(
    Fraction(*pair)
    for pair in (
        (10, 1), (12, 1), (25, 2), (15000, 1001), (15, 1), (24000, 1001), (24, 1),
        (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1),
    )
)  # fmt: skip
RATE_TOLERANCE = Fraction(1, 200)  # 29.97 and 30 differ by 1 in 1000
GOP_S = 2  # HLS Authoring Specification 1.13: a keyframe every two seconds
GOPS_PER_SEGMENT = 3  # 7.5: segments of about six seconds
LEAST_CHUNK_FRAMES = 3  # with fewer, x264 has no B-frames to delay for, and the init segment differs
AUDIO_ONLY_RATE = Fraction(25)  # a grid to count segments and progress by, where there is no picture


def choose_rate(source_rate: Fraction) -> Fraction:
    """Choose the frame rate of the grid: the natural rate of the source, never above 60.

    Faster sources are halved until they fit. A rate that is not natural takes the next one
    above, so that no frame is lost.
    """
    rate = source_rate
    while rate > NATURAL_RATES[-1] * (1 + RATE_TOLERANCE):
        rate /= 2
    nearest = min(NATURAL_RATES, key=lambda natural: abs(natural - rate))
    if abs(nearest - rate) <= rate * RATE_TOLERANCE:
        return nearest
    return next((natural for natural in NATURAL_RATES if natural >= rate), NATURAL_RATES[-1])


def make(
    source: SourceInfo, rungs: tuple[Rung, ...], voices: tuple[Voice, ...], preset: str, chunk_s: int
) -> Plan:
    """Plan the encode of a source: the frame grid, and its pieces in the order they should start."""
    rate = choose_rate(source.video.rate) if source.video else AUDIO_ONLY_RATE
    duration_s = source.video.duration_s if source.video else source.duration_s
    frames = max(1, round(duration_s * rate))
    gop_frames = round(GOP_S * rate)
    segment_frames = GOPS_PER_SEGMENT * gop_frames
    seekable = not EXACT_SEEK_FORMATS.isdisjoint(source.format.split(","))
    longest = max(1, int(chunk_s * rate / segment_frames)) if seekable else 0
    sounds = tuple(Piece(f"audio-{v.name}", Kind.AUDIO, 0, frames, voice=v.name) for v in voices)
    opening, *rest = cut(frames, segment_frames, longest, tuple(r.name for r in rungs))
    return Plan(
        rate=rate,
        frames=frames,
        gop_frames=gop_frames,
        segment_frames=segment_frames,
        origin_s=source.video.start_s if source.video else source.start_s,
        container_start_s=source.start_s,
        duration_s=frames / rate,
        preset=preset,
        source_video_index=source.video.index if source.video else None,
        rungs=rungs,
        voices=voices,
        # The opening chunk and the sound come first: without them nothing can be watched.
        pieces=(opening, *sounds, *rest) if rungs else sounds,
    )


def cut(frames: int, segment_frames: int, longest: int, rungs: tuple[str, ...]) -> tuple[Piece, ...]:
    """Cut the grid into chunks of whole segments; only the last segment may be short.

    The first chunk is a single segment, so that watching can start; the second has two; the
    rest share what is left evenly, `longest` segments at most. `longest` 0 cuts nothing.
    """
    sizes = [size * segment_frames for size in _grow(-(-frames // segment_frames), longest)]
    sizes[-1] = frames - sum(sizes[:-1])
    if len(sizes) > 1 and sizes[-1] < LEAST_CHUNK_FRAMES:
        sizes[-2:] = [sum(sizes[-2:])]
    starts = accumulate(sizes, initial=0)
    return tuple(
        Piece(f"video-{n:05d}", Kind.VIDEO, first, size, rungs)
        for n, (first, size) in enumerate(zip(starts, sizes, strict=False))
    )


def _grow(segments: int, longest: int) -> list[int]:
    if not longest:
        return [segments]
    sizes: list[int] = []
    for size in (1, min(2, longest)):
        if segments:
            sizes.append(min(size, segments))
            segments -= sizes[-1]
    if segments:
        chunks = -(-segments // longest)
        sizes += [segments // chunks + (n < segments % chunks) for n in range(chunks)]
    return sizes
