"""The values the whole system speaks in: a video, what its source holds, what it became."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nextstream.domain.plan import Plan


class State(StrEnum):
    """Where a video stands; lifecycle.MOVES has the ways between them."""

    CREATED = "created"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    PROBING = "probing"
    ENCODING = "encoding"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Visibility(StrEnum):
    """Who may play a video: everyone, who may also find it; whoever has its address; who is let in."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Priority(StrEnum):
    """Which work comes first while there is more than the workers can do."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Encryption(StrEnum):
    """How a video's segments are stored and sent; the key goes to who may play it."""

    NONE = "none"
    AES_128 = "aes-128"


class Purpose(StrEnum):
    """Whom a track of sound or text is for, and what it holds."""

    MAIN = "main"
    COMMENTARY = "commentary"
    DESCRIPTION = "description"  # says what is to be seen, for the blind
    CLARITY = "clarity"  # speech that is easy to understand, for the hard of hearing
    CAPTIONS = "captions"  # text of all that is to be heard, for the deaf (SDH)
    FORCED = "forced"  # text of what even those need who understand the sound


NOTICED_S = Fraction(1, 10)  # a picture that starts later than the sound is shown from the sound on
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
    run_up_s: Fraction = Fraction(1)
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


@dataclass(frozen=True)
class Span:
    """A run of bytes in an object."""

    offset: int
    size_bytes: int


@dataclass(frozen=True)
class Segment:
    """One stored media segment; `keyframes` are the spans an I-frame playlist names, one a GOP.

    `number` counts from 1 over the whole rendition; `ticks` is the duration in the timescale.
    """

    number: int
    ticks: int
    size_bytes: int
    keyframes: tuple[Span, ...] = ()


TEXT_CODEC = "wvtt"


@dataclass(frozen=True)
class Rendition:
    """One playable track: a rung, audio or text, or the part of it one piece made.

    `codec` is its RFC 6381 name, read from the bitstream. `gop_ticks` and `frame_ticks`, the time
    one frame is shown, are 0 but for pictures. `twin` names the stereo rendition that this is the
    surround sound of. Text is one file, so one segment; `is_uploaded` tells what a user added from
    what was in the source. `lost_frames` are those that the source should have and hasn't, or
    that are shown though broken, which `broken_frames` are.
    """

    name: str
    codec: str
    timescale: int
    init_sha256: str
    segments: tuple[Segment, ...]
    gop_ticks: int = 0
    width: int = 0
    height: int = 0
    channels: int = 0
    language: str = "und"
    title: str | None = None
    frame_ticks: int = 0
    purpose: Purpose = Purpose.MAIN
    is_default: bool = False
    is_uploaded: bool = False
    twin: str = ""
    lost_frames: int = 0
    broken_frames: int = 0

    @property
    def is_video(self) -> bool:
        """Tell a rung from sound and text."""
        return self.height > 0

    @property
    def kind(self) -> str:
        """Give what it is: video, audio or text."""
        return "video" if self.is_video else "text" if self.is_text else "audio"

    @property
    def family(self) -> str:
        """Give the codec without its profile, such as `avc1`."""
        return self.codec.partition(".")[0]

    @property
    def is_text(self) -> bool:
        """Tell subtitles from sound and pictures."""
        return self.codec == TEXT_CODEC

    @property
    def is_audio(self) -> bool:
        """Tell sound from pictures and text."""
        return not (self.is_video or self.is_text)

    @property
    def duration_s(self) -> Fraction:
        """Give the seconds all its segments last."""
        return Fraction(sum(s.ticks for s in self.segments), self.timescale)

    @property
    def size_bytes(self) -> int:
        """Give the bytes of all its segments."""
        return sum(s.size_bytes for s in self.segments)


@dataclass(frozen=True)
class Failure:
    """Why a video failed: a code and a sentence for the uploader, a detail for the operator."""

    code: str
    message: str
    detail: str | None = None
    retryable: bool = False


@dataclass(frozen=True)
class Options:
    """What one video's encode does differently from the server's settings; None is as they say."""

    heights: tuple[int, ...] | None = None
    preset: str | None = None
    crf: int | None = None
    codecs: tuple[str, ...] | None = None
    encryption: Encryption | None = None


@dataclass(frozen=True)
class Wishes:
    """What an upload asks of its video: when it is encoded, who may play it, and how it is encoded.

    None is as for any other video.
    """

    priority: Priority | None = None
    visibility: Visibility | None = None
    options: Options = Options()


NO_WISHES = Wishes()


@dataclass(frozen=True)
class Video:
    """One video for life: its id never changes, each re-encode has the next `version`.

    `version` is what is worked on, or was last; `public_version` is what players get, whose
    `renditions` these are. `revision` grows with every save and guards against lost updates.
    Playback tickets of another `ticket_epoch` are no longer good. From `playable_at` on the beginning
    of this version can be watched, while the rest is encoded. `keys` are those of encrypted versions,
    by their numbers, each sealed. `traceparent` names the span of the request that began it, where
    jobs are traced.
    """

    id: str
    owner_id: str
    title: str
    filename: str
    created_at: datetime
    state: State = State.CREATED
    version: int = 1
    revision: int = 0
    size_bytes: int | None = None
    request_id: str | None = None
    source: SourceInfo | None = None
    plan: Plan | None = None
    renditions: tuple[Rendition, ...] = ()
    failure: Failure | None = None
    state_times: dict[State, datetime] = field(default_factory=dict)
    visibility: Visibility = Visibility.UNLISTED
    ticket_epoch: int = 0
    playable_at: datetime | None = None
    public_version: int | None = None
    priority: Priority = Priority.NORMAL
    options: Options = Options()
    keys: dict[int, str] = field(default_factory=dict)
    traceparent: str | None = None

    @property
    def encryption(self) -> Encryption:
        """Tell how what plays is encrypted, or what comes, once that is planned."""
        return Encryption.AES_128 if self.shown_version in self.keys else Encryption.NONE

    @property
    def shown_version(self) -> int:
        """Give the version of `renditions`, or the first that is coming."""
        return self.public_version or self.version
