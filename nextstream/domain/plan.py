"""The plan of an encode: everything later steps need, so any worker can do any piece at any time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate

from nextstream.domain.source import RUN_UP_S, Purpose, SourceInfo, VideoTrack


class Kind(StrEnum):
    """What a piece of work is."""

    PROBE = "probe"
    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"
    PUBLISH = "publish"


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: the picture's size and its rate control (capped CRF).

    `preset` is its encoder's; empty is the plan's, which is x264's.
    """

    name: str
    width: int
    height: int
    crf: int
    maxrate_bps: int
    bufsize_bits: int
    codec: str = "h264"
    preset: str = ""


@dataclass(frozen=True)
class Voice:
    """One audio track as it is encoded: `source_index` is the stream in the source.

    `twin` names the stereo voice of the same track, where this is its surround sound. `mix` is how
    mixing.stereo has its channels mixed, or empty where ffmpeg knows.
    """

    name: str
    source_index: int
    channels: int
    bitrate_bps: int
    language: str = "und"
    title: str | None = None
    purpose: Purpose = Purpose.MAIN
    is_default: bool = False
    twin: str = ""
    mix: str = ""


@dataclass(frozen=True)
class Text:
    """One track of subtitles that is taken out of the source: `source_index` is its stream."""

    name: str
    source_index: int
    codec: str
    language: str = "und"
    title: str | None = None
    purpose: Purpose = Purpose.MAIN


@dataclass(frozen=True)
class Piece:
    """A unit of work that one worker does alone.

    A video piece is a chunk: `frames` frames from `first_frame` on, whole segments of them, in
    `rungs`, which are all of them or a part. An audio piece is the whole of one track, named by
    `voice`; the text piece is all subtitles of the source, which is read once for them.
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
    what ffmpeg counts a seek from. `picture` is the source's, which says how to treat it, and
    `has_jumps` tells that its clock has to be mended. Decoding begins `run_up_s` before a chunk, or
    with the source where that is None. The storyboard has a tile each `tile_frames`;
    0 makes none. Every worker encodes with these `threads`, since x264 makes other bytes with other
    ones; 0 leaves it to the worker.
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
    threads: int = 0
    texts: tuple[Text, ...] = ()
    picture: VideoTrack | None = None
    has_jumps: bool = False
    run_up_s: Fraction | None = RUN_UP_S

    @property
    def segment_s(self) -> Fraction:
        """Give the seconds of a whole segment."""
        return self.segment_frames / self.rate

    @property
    def segments(self) -> int:
        """Give the number of segments, the last of which may be short."""
        return -(-self.frames // self.segment_frames)

    @property
    def target_s(self) -> int:
        """Give the target duration of all playlists (RFC 8216, 4.3.3.1), before anything is encoded.

        Sound is cut to the nearest frame of its own, so a segment may last that much longer.
        """
        longest = min(self.segment_s, self.duration_s) + LONGEST_SOUND_FRAME_S
        return max(1, math.floor(longest + Fraction(1, 2)))

    @property
    def timescale(self) -> int:
        """Give the video timescale, in which every frame lasts a whole number of ticks."""
        return self.rate.numerator * (1 if self.rate.numerator >= 1000 else 1000)

    @property
    def gop_ticks(self) -> int:
        """Give the duration of a whole GOP in the video timescale."""
        return int(self.gop_frames * self.timescale / self.rate)

    @property
    def opening(self) -> tuple[str, ...]:
        """Name the pieces that make the first segment of each rendition."""
        first = (p for p in self.pieces if p.kind in (Kind.VIDEO, Kind.AUDIO) and not p.first_frame)
        return tuple(piece.name for piece in first)

    def most_bytes(self, piece: Piece) -> int:
        """Give the bytes that a chunk's rungs take up together, at the most."""
        rates = sum(rung.maxrate_bps for rung in self.rungs if rung.name in piece.rungs)
        burst = sum(rung.bufsize_bits for rung in self.rungs if rung.name in piece.rungs)
        return int((rates * piece.frames / self.rate + burst) / 8)

    def ends_with(self, piece: Piece) -> bool:
        """Tell whether a chunk is the last one, or its part by rung."""
        return piece.first_frame + piece.frames == self.frames

    def piece(self, name: str) -> Piece:
        """Give a piece by its name; raises KeyError."""
        return {piece.name: piece for piece in self.pieces}[name]


PROBE = Piece("probe", Kind.PROBE)
PUBLISH = Piece("publish", Kind.PUBLISH)
TEXT = Piece("text", Kind.TEXT)

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
# Decoding costs about an eighth of encoding all rungs, so it adds no more than half to such a chunk.
GROWTH = 4
MOST_FROM_START = 50  # segments, about five minutes
SHARES_PER_SLOT = 2  # a chunk is at most half of what is left for its slot: no slot ends much later
LEAST_CHUNK_FRAMES = 3  # with fewer, x264 has no B-frames to delay for, and the init segment differs
LONGEST_SOUND_FRAME_S = Fraction(1, 25)  # AAC has 21 ms
LEAST_S = Fraction(1)  # browsers don't start to play a tenth of a second; the last picture is held
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
    source: SourceInfo,
    rungs: tuple[Rung, ...],
    voices: tuple[Voice, ...],
    preset: str,
    chunk_s: int,
    slots: int = 1,
) -> Plan:
    """Plan the encode of a source: the frame grid, and its pieces in the order they should start.

    `slots` are the pieces the whole fleet encodes at once.
    """
    rate = choose_rate(source.video.rate) if source.video else AUDIO_ONLY_RATE
    duration_s = max(LEAST_S, source.shown_to_s - source.shown_from_s)
    # Half a frame is one more, as the grid takes it: a picture may lie half a frame beside it.
    frames = max(1, math.floor(duration_s * rate + Fraction(1, 2)))
    gop_frames = round(GOP_S * rate)
    segment_frames = GOPS_PER_SEGMENT * gop_frames
    longest = max(1, int(chunk_s * rate / segment_frames))
    sounds = tuple(Piece(f"audio-{v.name}", Kind.AUDIO, 0, frames, voice=v.name) for v in voices)
    sizes = choose_sizes(source, -(-frames // segment_frames), longest, slots)
    chunks = cut(frames, segment_frames, sizes, rungs, slots) if rungs else ()
    return Plan(
        rate=rate,
        frames=frames,
        gop_frames=gop_frames,
        segment_frames=segment_frames,
        origin_s=source.shown_from_s,
        container_start_s=source.start_s,
        duration_s=frames / rate,
        preset=preset,
        source_video_index=source.video.index if source.video else None,
        rungs=rungs,
        voices=voices,
        # The opening chunk and the sound come first: without them nothing can be watched.
        pieces=(
            *(piece for piece in chunks if not piece.first_frame),
            *sounds,
            *(piece for piece in chunks if piece.first_frame),
            *((TEXT,) if source.texts else ()),
        ),
        texts=choose_texts(source),
        picture=source.video,
        has_jumps=source.has_jumps,
        run_up_s=source.run_up_s if source.is_seekable else None,
    )


def choose_texts(source: SourceInfo) -> tuple[Text, ...]:
    """Choose the subtitles that are taken out of a source: all."""
    return tuple(
        Text(f"t{n}", track.index, track.codec, track.language, track.title, track.purpose)
        for n, track in enumerate(source.texts)
    )


def expect(plan: Plan, piece: Piece) -> int:
    """Give how many of a chunk's frames its source should have; the rest hold the last one."""
    track = plan.picture
    if track is None:
        return piece.frames
    if track.is_still:
        return 1
    there = int((track.end_s - plan.origin_s) * plan.rate) - piece.first_frame
    return min(piece.frames, max(0, there))


def choose_sizes(source: SourceInfo, segments: int, longest: int, slots: int = 1) -> list[int]:
    """Give each chunk's segments.

    The first chunk is a single segment, so that watching can start; the second has two. From
    there on a chunk has its share of what is left, `longest` segments at most and one at least:
    they shrink towards the end, so that all slots have work until it. Where each chunk has to be
    decoded from the beginning of the source, they grow with what is decoded for nothing.
    """
    if source.video and source.video.is_still:
        return [segments]  # there is one frame, and nothing to encode but its being held
    return _sizes(segments, longest, slots) if source.is_seekable else _growing(segments, longest)


def cut(
    frames: int, segment_frames: int, sizes: list[int], rungs: tuple[Rung, ...], slots: int = 1
) -> tuple[Piece, ...]:
    """Cut the grid into chunks of so many segments; only the last segment may be short.

    A chunk is one piece, since one decode for all rungs is the cheapest, and is split by rung
    only where slots would idle: the opening chunk where the fleet has a slot for each of its
    rungs and one for the sound, and all chunks where there are fewer of them than slots.
    """
    sizes = [size * segment_frames for size in sizes]
    sizes[-1] = frames - sum(sizes[:-1])
    if len(sizes) > 1 and sizes[-1] < LEAST_CHUNK_FRAMES:
        sizes[-2:] = [sum(sizes[-2:])]
    parts = share(rungs, slots // len(sizes))
    opening = tuple((rung,) for rung in rungs) if slots > len(rungs) else parts
    return tuple(
        Piece(_name(n, rungs, part), Kind.VIDEO, first, size, tuple(rung.name for rung in part))
        for n, (first, size) in enumerate(zip(accumulate(sizes, initial=0), sizes, strict=False))
        for part in (parts if n else opening)
    )


def share(rungs: tuple[Rung, ...], parts: int) -> tuple[tuple[Rung, ...], ...]:
    """Share rungs out in up to `parts` groups of about as many pixels; at least in one."""
    groups: list[list[Rung]] = [[] for _ in range(min(max(parts, 1), len(rungs)))]
    for rung in sorted(rungs, key=_pixels, reverse=True):
        min(groups, key=lambda group: sum(map(_pixels, group))).append(rung)
    return tuple(map(tuple, groups))


def _pixels(rung: Rung) -> int:
    return rung.width * rung.height


def _name(number: int, rungs: tuple[Rung, ...], part: tuple[Rung, ...]) -> str:
    whole = len(part) == len(rungs)
    return f"video-{number:05d}" if whole else f"video-{number:05d}-{part[0].name}"


def _sizes(segments: int, longest: int, slots: int) -> list[int]:
    """Give the sizes for slots; one slot alone ends with any cut, and takes the fewest chunks."""
    sizes: list[int] = []
    for size in (1, min(2, longest)):
        if segments:
            sizes.append(min(size, segments) if slots < segments else 1)
            segments -= sizes[-1]
    while segments:
        shares = SHARES_PER_SLOT * slots if slots > 1 else -(-segments // longest)
        sizes.append(min(longest, -(-segments // shares)))
        segments -= sizes[-1]
    return sizes


def _growing(segments: int, longest: int) -> list[int]:
    """Give the sizes of chunks that are decoded from the beginning, so that this costs little beside.

    None is longer than its bytes can be held in memory.
    """
    sizes: list[int] = []
    while sum(sizes) < segments:
        done = sum(sizes)
        size = (1, min(2, longest))[len(sizes)] if len(sizes) < 2 else max(longest, done // GROWTH)
        sizes.append(min(size, max(longest, MOST_FROM_START), segments - done))
    return sizes
