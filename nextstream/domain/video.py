"""The values the whole system speaks in: a video, its states and wishes, what it became."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from nextstream.domain.source import Purpose, SourceInfo

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
