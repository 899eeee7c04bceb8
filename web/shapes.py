"""The JSON bodies the API answers with, as types: mypy holds `bodies` to them, and clients read them.

`NotRequired` members are missing where they don't apply; others may be null where the type says so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic asks for it below Python 3.12

from nextstream.domain.source import Purpose
from nextstream.domain.video import Encryption, Priority, State, Visibility
from nextstream.domain.webhooks import Outcome

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Url = Annotated[str, Field(json_schema_extra={"format": "uri"})]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class Problem(TypedDict):
    """What went wrong (RFC 9457); `code` is of a closed list, `detail` says what to do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str


class Players(TypedDict):
    """Where a video plays; encrypted ones have no DASH."""

    hls: Url
    dash: Url | None
    page: Url


class Pictures(TypedDict):
    """Where a video's still pictures are; null where there are none yet or never will be."""

    poster: Url | None
    storyboard: Url | None
    storyboard_json: Url | None
    thumbnail: Url | None


class Addresses(Players, Pictures):
    """Where a video plays, and its pictures; null where there are none yet or never will be."""


class RungProgress(TypedDict):
    """How far one rung is, in frames."""

    name: str
    height: int
    frames_done: Count
    frames_planned: Count


class Progress(TypedDict):
    """How far an encode is, in frames of all rungs together; speed and end while they are known."""

    frames_done: Count
    frames_planned: Count
    percent: Annotated[int, Field(ge=0, le=100)]
    fps: Seconds | None
    eta_s: Seconds | None
    rungs: list[RungProgress]


class Caution(TypedDict):
    """What the owner should know of a video that was made all the same."""

    code: str
    message: str
    lost_s: Seconds | None


class Picture(TypedDict):
    """The picture of a source, as it is shown."""

    codec: str
    width: int
    height: int
    fps: float


class Track(TypedDict):
    """A track of sound or text: its language (BCP 47, `und` where it is unknown), and whom it is for."""

    language: str
    title: str | None
    purpose: Purpose


class SourceSubtitles(Track):
    """Subtitles in a source."""

    codec: str


class SourceSound(Track):
    """A sound in a source."""

    codec: str
    channels: int


class Chapter(TypedDict):
    """A part of a source with a name, in seconds since its first frame."""

    start_s: float
    end_s: float
    title: str


class Source(TypedDict):
    """What was found in the file that was uploaded."""

    format: str
    duration_s: Seconds
    warnings: list[Caution]
    video: Picture | None
    audio: list[SourceSound]
    subtitles: list[SourceSubtitles]
    chapters: list[Chapter]


class Subtitles(Track):
    """Subtitles that a video has; `uploaded` tells what a user added from what was in the source."""

    name: str
    kind: Literal["text"]
    uploaded: bool


class Weight(TypedDict):
    """How a rendition is encoded, and how much it is."""

    codec: str
    duration_s: Seconds
    size_bytes: Count


class Rung(Weight):
    """The picture in one size."""

    name: str
    kind: Literal["video"]
    width: int
    height: int


class Sound(Weight, Track):
    """A sound that players can choose."""

    name: str
    kind: Literal["audio"]
    channels: int


Rendition = Rung | Sound | Subtitles


class Download(TypedDict):
    """A rendition as one file."""

    rendition: str
    type: str
    url: Url


class Failure(TypedDict):
    """Why a video failed; a retry may help where `retryable`."""

    code: str
    message: str
    retryable: bool


class Video(TypedDict):
    """A video, from its creation on; `version` is what is worked on, `public_version` what plays."""

    id: str
    title: str
    filename: str
    state: State
    visibility: Visibility
    playable: bool
    playable_at: Time | None
    version: int
    public_version: int | None
    priority: Priority
    encryption: Encryption
    size_bytes: Count | None
    created_at: Time
    times: Annotated[dict[State, Time], Field(description="When the video came into each state.")]
    playback: Addresses
    progress: Progress | None
    source: Source | None
    renditions: list[Rendition]
    downloads: list[Download]
    failure: Failure | None


class VideoList(TypedDict):
    """A page of videos; `next` is what to send as `before`, null at the end."""

    items: list[Video]
    next: str | None


class Playback(TypedDict):
    """A link to play by, with its end."""

    hls: Url
    dash: Url | None
    expires_at: Time


class Worker(TypedDict):
    """A worker that encodes."""

    name: str
    slots: int
    seen_at: Time
    draining: bool


class WorkerList(TypedDict):
    """The workers that encode."""

    items: list[Worker]


class Event(TypedDict):
    """A CloudEvent 1.0; `subject` is the video's id, or the worker's or account's."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: Time
    datacontenttype: str
    data: dict[str, Any]
    requestid: NotRequired[str]


class EventEntry(TypedDict):
    """An event with its place in the order of all, and whether Kafka has it."""

    place: int
    sent: bool
    event: Event


class Lag(TypedDict):
    """How much waits, and for how long the first of it has."""

    count: Count
    oldest_s: Seconds


class Lags(TypedDict):
    """What waits for Kafka, for its deliveries to webhooks to be made, and for those to be tried."""

    outbox: Lag
    fan_out: Lag
    deliveries: Lag


class EventList(TypedDict):
    """A page of events; `next` is what to send as `after`."""

    items: list[EventEntry]
    next: int


class Webhook(TypedDict):
    """An address that is told of events; without an owner it is the operators'."""

    id: str
    owner_id: str | None
    url: Url
    types: list[str]
    active: bool
    created_at: Time


class NewWebhook(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str


class WebhookList(TypedDict):
    """Webhooks."""

    items: list[Webhook]


class Delivery(TypedDict):
    """How an event got, or didn't get, to a webhook; `status` and `error` are the last try's."""

    id: str
    event_id: str
    event_type: str
    created_at: Time
    outcome: Outcome
    attempt: Count
    status: int | None
    error: str | None
    due_at: Time | None


class DeliveryList(TypedDict):
    """A page of deliveries; `next` is what to send as `before`, null at the end."""

    items: list[Delivery]
    next: str | None


class Health(TypedDict):
    """That the process lives."""

    status: Literal["alive"]


class Readiness(TypedDict):
    """What this process needs, each with `ok` or an error's code."""

    status: Literal["ready"]
    checks: dict[str, str]
