"""What a source holds: its tracks, in the measures they are shown in, its subtitles and chapters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Purpose(StrEnum):
    """Whom a track of sound or text is for, and what it holds."""

    MAIN = "main"
    COMMENTARY = "commentary"
    DESCRIPTION = "description"  # says what is to be seen, for the blind
    CLARITY = "clarity"  # speech that is easy to understand, for the hard of hearing
    CAPTIONS = "captions"  # text of all that is to be heard, for the deaf (SDH)
    FORCED = "forced"  # text of what even those need who understand the sound


NOTICED_S = Fraction(1, 10)  # a picture that starts later than the sound is shown from the sound on
# Where an index names the keyframes, decoding begins a second early: the keyframe before a frame is
# decoded up to it anyway.
RUN_UP_S = Fraction(1)
HELD_S = Fraction(1)  # a sound that ends later than the picture is played to its end


@dataclass(frozen=True)
class Color:
    """What a picture's numbers mean, in ffmpeg's names; empty where the source doesn't say.

    `is_dolby_alone` tells Dolby Vision whose base is neither SDR, HDR10 nor HLG.
    """

    primaries: str = ""
    transfer: str = ""
    matrix: str = ""
    is_full_range: bool = False
    is_dolby_alone: bool = False

    @property
    def is_hdr(self) -> bool:
        """Tell HDR10 and HLG, which have to be tone mapped."""
        return self.transfer in ("smpte2084", "arib-std-b67")


@dataclass(frozen=True)
class Tile:
    """A part of a picture: its stream, and where its upper left corner lies."""

    index: int
    x: int
    y: int


@dataclass(frozen=True)
class Grid:
    """A picture of tiles (ISO/IEC 23008-12, 6.6.2.3): what is shown of them, in stored pixels."""

    tiles: tuple[Tile, ...]
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class VideoTrack:
    """The picture in a source, in the measures it is shown in: rotated, with square pixels.

    `start_s` and `end_s` are on the source's own clock; the first frame is shown at `start_s`.
    `rate` counts fields where the picture is interlaced: `fields` is then `tff` or `bff`, the
    field that comes first. The stored picture is mirrored left to right if `mirrored`, then
    `turned` clockwise by 0, 90, 180 or 270 degrees; ffmpeg does both if only the frames themselves
    say how, `is_turned_by_frames`, as a photo's do. A still is held from `start_s` to `end_s`.
    """

    index: int
    codec: str
    width: int
    height: int
    rate: Fraction
    start_s: Fraction
    end_s: Fraction
    pixel_format: str = "yuv420p"
    color: Color = Color()
    fields: str = ""
    turned: int = 0
    mirrored: bool = False
    is_still: bool = False
    is_turned_by_frames: bool = False
    grid: Grid | None = None

    @property
    def duration_s(self) -> Fraction:
        """Give the seconds between the first frame and the end of the last."""
        return self.end_s - self.start_s

    @property
    def frame_s(self) -> Fraction:
        """Give the seconds that a coded frame lasts; `rate` counts the fields of one, if it has them."""
        return (2 if self.fields else 1) / self.rate


@dataclass(frozen=True)
class AudioTrack:
    """One audio track of a source; `language` is an ISO 639 code or `und`.

    `start_s` and `end_s` are on the source's clock, as its headers say.
    """

    index: int
    codec: str
    channels: int
    sample_rate_hz: int
    language: str = "und"
    title: str | None = None
    purpose: Purpose = Purpose.MAIN
    is_default: bool = False
    layout: str = ""
    start_s: Fraction | None = None
    end_s: Fraction | None = None


@dataclass(frozen=True)
class TextTrack:
    """One track of subtitles in a source; `language` is an ISO 639 code or `und`."""

    index: int
    codec: str
    language: str = "und"
    title: str | None = None
    purpose: Purpose = Purpose.MAIN


@dataclass(frozen=True)
class Chapter:
    """A part of a source with a name, in seconds since the video's start."""

    start_s: Fraction
    end_s: Fraction
    title: str


@dataclass(frozen=True)
class Caution:
    """What the owner should know of a video that was made all the same: a code and a sentence."""

    code: str
    message: str
    lost_s: Fraction | None = None


@dataclass(frozen=True)
class SourceInfo:
    """What the probe found; `start_s` is where the container's clock starts, and seeks count from.

    `is_seekable` tells that decoding can start at any frame, if it begins `run_up_s` before it.
    `has_jumps` tells that its clock jumps, and ffmpeg has to mend it. `longest_gap_s` is the longest
    time without a frame. `warnings` grow when the encode finds more.
    """

    format: str
    start_s: Fraction
    duration_s: Fraction
    size_bytes: int
    video: VideoTrack | None
    audio: tuple[AudioTrack, ...] = ()
    texts: tuple[TextTrack, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    is_seekable: bool = True
    run_up_s: Fraction = RUN_UP_S
    has_jumps: bool = False
    longest_gap_s: Fraction = Fraction(0)
    streams: int = 0
    warnings: tuple[Caution, ...] = ()

    @property
    def shown_from_s(self) -> Fraction:
        """Give where the video starts on the source's clock: with the picture, or an earlier sound."""
        if self.video is None or self.has_jumps:
            return self.video.start_s if self.video else self.start_s
        starts = [t.start_s for t in self.audio if t.start_s is not None]
        earliest = min(starts, default=self.video.start_s)
        return earliest if self.video.start_s - earliest >= NOTICED_S else self.video.start_s

    @property
    def shown_to_s(self) -> Fraction:
        """Give where the video ends: with the picture, or a sound that goes on for long after it."""
        if self.video is None:
            return self.start_s + self.duration_s
        latest = max((t.end_s for t in self.audio if t.end_s), default=self.video.end_s)
        trusted = not self.has_jumps and not any(each.lost_s for each in self.warnings)
        return latest if trusted and latest - self.video.end_s >= HELD_S else self.video.end_s
