"""Rows that tests of the database put in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from nextstream.domain.accounts import Account, Role
from nextstream.domain.events import Event, happen
from nextstream.domain.plan import Kind, Piece
from nextstream.domain.video import Rendition, Segment, Span, Video
from nextstream.ports import Database, Parts, Upload

NOW = datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=60)
VIDEO = Video("v1", "owner", "Ein Film 🎬 日本語", "ü.mp4", NOW)
ACCOUNT = Account("a1", "bob", "$hash", Role.UPLOADER, NOW)
CHUNK = Piece("video-00000", Kind.VIDEO, 0, 144, ("v720", "v480"))
MADE = (Rendition("v720", "avc1.64001f", 24000, "00ff", (Segment(1, 144000, 9, (Span(0, 5),)),)),)

UPLOAD = Upload(
    id="u1",
    owner_id="owner",
    key="videos/v1/source",
    created_at=NOW,
    expires_at=LATER,
    part_bytes=8,
    length=20,
    parts=Parts(16, "mpu", ('"a"', '"b"'), "videos/v1/source.tail/1"),
    reserved_bytes=20,
    metadata="filename Y2xpcC5tcDQ=",
)


def event(key: str = "v1", **data: object) -> Event:
    return happen("video.probed", key, NOW, "req-1", **data)


def store(database: Database, *videos: Video) -> None:
    with database.transaction() as tx:
        for video in videos:
            tx.videos.add(video)
