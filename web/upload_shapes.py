"""The JSON bodies the API answers uploads with that aren't videos yet, as types."""

from __future__ import annotations

from typing_extensions import TypedDict  # pydantic asks for it below Python 3.12

from web.shapes import Count, Time, Url


class DirectUpload(TypedDict):
    """A URL that takes one file, from whoever has it, until it expires."""

    video_id: str
    url: Url
    expires_at: Time


class ReceivedUpload(TypedDict):
    """What came in."""

    video_id: str
    size_bytes: Count


class Multipart(TypedDict):
    """An upload in parts, as Uppy's AWS S3 plugin knows it; `uploadId` is the video's id, too."""

    key: str
    uploadId: str
    video_id: str


class SignedPart(TypedDict):
    """Where to PUT one part, for so many seconds."""

    url: Url
    expires: int


class SentPart(TypedDict):
    """A part that has come, as S3 lists it."""

    PartNumber: int
    Size: Count
    ETag: str


class CompletedMultipart(TypedDict):
    """The video that an upload in parts became."""

    location: Url
    key: str
    video_id: str


class Nothing(TypedDict):
    """An empty object."""
