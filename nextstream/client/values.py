"""Videos and what belongs to them, as frozen dataclasses; times have a time zone, `_s` is seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from nextstream.client.errors import NotAnswered

T = TypeVar("T")

_adapters: dict[type, TypeAdapter[Any]] = {}  # costly to make


class State(StrEnum):
    """Where a video stands."""

    CREATED = "created"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    PROBING = "probing"
    ENCODING = "encoding"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({State.READY, State.FAILED, State.CANCELLED})


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


class Order(StrEnum):
    """How a list of videos is sorted."""

    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    LARGEST = "largest"


@dataclass(frozen=True)
class Playback:
    """Addresses of a video for players and pages.

    `dash` is None for an encrypted video; pictures are None where there are none yet.
    """

    hls: str
    dash: str | None
    page: str
    poster: str | None = None
    storyboard: str | None = None
    storyboard_json: str | None = None
    thumbnail: str | None = None


@dataclass(frozen=True)
class RungProgress:
    """How far one rung of the ladder is, in frames."""

    name: str
    height: int
    frames_done: int
    frames_planned: int


@dataclass(frozen=True)
class Progress:
    """How far an encode is, in frames of all rungs together; `fps` and `eta_s` while it runs."""

    frames_done: int
    frames_planned: int
    percent: float
    fps: float | None = None
    eta_s: float | None = None
    rungs: tuple[RungProgress, ...] = ()


@dataclass(frozen=True)
class Picture:
    """The picture in a source, as it is shown."""

    codec: str
    width: int
    height: int
    fps: float


@dataclass(frozen=True)
class Track:
    """A track of sound or text in a source; `channels` of sound alone."""

    codec: str
    language: str
    title: str | None = None
    purpose: str = "main"
    channels: int | None = None


@dataclass(frozen=True)
class Chapter:
    """A chapter of a source."""

    start_s: float
    end_s: float
    title: str | None = None


@dataclass(frozen=True)
class Caution:
    """Something about a source that its owner should know; `lost_s` is missing of it."""

    code: str
    message: str
    lost_s: float | None = None


@dataclass(frozen=True)
class Source:
    """What the uploaded file holds."""

    format: str
    duration_s: float
    video: Picture | None = None
    audio: tuple[Track, ...] = ()
    subtitles: tuple[Track, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    warnings: tuple[Caution, ...] = ()


@dataclass(frozen=True)
class Rendition:
    """One form of a video: `kind` is `video`, `audio` or `text`, and has the members of its kind."""

    name: str
    kind: str
    codec: str | None = None
    duration_s: float | None = None
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    language: str | None = None
    title: str | None = None
    purpose: str | None = None
    uploaded: bool | None = None


@dataclass(frozen=True)
class Download:
    """A rendition as one file."""

    rendition: str
    type: str
    url: str


@dataclass(frozen=True)
class Failure:
    """Why a video failed."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True)
class Video:
    """A video at a moment; `etag` names that moment to `change`, and is None in lists."""

    id: str
    title: str
    filename: str
    state: State
    visibility: Visibility
    playable: bool
    version: int
    priority: Priority
    created_at: datetime
    playback: Playback
    encryption: str = "none"
    public_version: int | None = None
    playable_at: datetime | None = None
    size_bytes: int | None = None
    times: Mapping[str, datetime] = field(default_factory=dict)
    progress: Progress | None = None
    source: Source | None = None
    renditions: tuple[Rendition, ...] = ()
    downloads: tuple[Download, ...] = ()
    failure: Failure | None = None
    etag: str | None = None

    @property
    def has_ended(self) -> bool:
        """Tell that nothing more will come of it by itself."""
        return self.state in ENDED


@dataclass(frozen=True)
class Event:
    """Something that happened, a CloudEvent; `subject` is what it is about, as a video's id."""

    id: str
    type: str
    subject: str
    time: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    requestid: str | None = None


@dataclass(frozen=True)
class PlacedEvent:
    """An event with its place in the order of all, as operators read them."""

    place: int
    sent: bool
    event: Event


@dataclass(frozen=True)
class Ticket:
    """Addresses that play a video until `expires_at`, whatever its visibility."""

    hls: str
    dash: str | None
    expires_at: datetime


@dataclass(frozen=True)
class DirectUpload:
    """An address that takes one file from whoever has it; the video's id is known already."""

    video_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True)
class Webhook:
    """An address that is told of events; `secret` only in the answer that made it."""

    id: str
    url: str
    types: tuple[str, ...]
    active: bool
    created_at: datetime
    owner_id: str | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Delivery:
    """How an event got, or didn't get, to a webhook."""

    id: str
    event_id: str
    event_type: str
    created_at: datetime
    outcome: str
    attempt: int
    status: int | None = None
    error: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True)
class Worker:
    """A worker that encodes."""

    name: str
    slots: int
    seen_at: datetime
    draining: bool


def read(kind: type[T], body: object) -> T:
    """Make a value of a JSON body; members that it doesn't know are left out. Raises NotAnswered."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    try:
        found: T = _adapters[kind].validate_python(body)
    except ValidationError as error:
        raise NotAnswered(f"The server's answer is no {kind.__name__}: {error}") from error
    return found
