"""A whole transcode over real S3, a real database and real Kafka, without web or queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from nextstream import wiring
from nextstream.domain import paths
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import State
from nextstream.ports import Platform
from nextstream.services import operations, transcoding, uploads
from nextstream.settings import Settings
from tests import sources

BLOCK_BYTES = 64 * 1024


@pytest.fixture
def platform(tmp_path: Path, s3_url: str, kafka_servers: str, postgres_url: str) -> Iterator[Platform]:
    settings = Settings(
        data_dir=tmp_path,
        database_url=postgres_url,
        storage_url=s3_url,
        redis_url=wiring.MEMORY,
        kafka_servers=kafka_servers,
        kafka_topic=f"events-{tmp_path.name}",
        heights="240,120",
        preset="ultrafast",
    )
    wiring.migrate(settings)
    platform = wiring.build(settings)
    yield platform
    platform.sink.close()
    platform.database.close()


def upload(platform: Platform, source: Path) -> str:
    owner = Account("owner", "ada", "-", Role.UPLOADER, platform.clock.now())
    with source.open("rb") as file:
        blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
        video = uploads.receive(
            platform, owner, source.name, None, blocks, source.stat().st_size, "req-7"
        )
    return video.id


def test_a_video_in_s3_is_read_by_range_and_becomes_playable_there(
    platform: Platform, tmp_path: Path
) -> None:
    video_id = upload(platform, sources.steady(tmp_path / "clip.mp4", seconds=20))
    video = transcoding.run(platform, video_id, 1, slots=2)
    assert video.state is State.READY, video.failure
    master = platform.storage.read(f"{paths.root(video_id)}/{paths.MASTER}").decode()
    assert master.count("#EXT-X-STREAM-INF") == 2
    for rendition in video.renditions:
        stored = {
            one.key: one.size_bytes
            for one in platform.storage.list(f"{paths.tree(video_id, 1)}/{rendition.name}/")
        }
        for segment in rendition.segments:
            key = paths.segment(video_id, 1, rendition.name, segment.number)
            assert stored[key] == segment.size_bytes


def test_every_event_of_a_video_reaches_kafka_once_and_in_order(
    platform: Platform, tmp_path: Path
) -> None:
    video_id = upload(platform, sources.steady(tmp_path / "clip.mp4", seconds=3))
    transcoding.run(platform, video_id, 1, slots=2)
    assert operations.relay(platform) > 0
    assert operations.relay(platform) == 0
    received = consume(platform.settings, until="video.ready")
    types = [event["type"] for event in received if event["subject"] == video_id]
    assert types[:3] == ["video.created", "video.uploaded", "video.probed"]
    encoded = ["piece.encoded"] * 3  # two halves of the ladder, and the sound
    whole = ["video.rendition.ready"] * 3
    assert sorted(types[3:-1]) == [*encoded, "video.playable", *whole]
    assert types[-1] == "video.ready"
    assert {event["requestid"] for event in received} == {"req-7"}


def consume(settings: Settings, until: str) -> list[dict[str, str]]:
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_servers,
            "group.id": settings.kafka_topic,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([settings.kafka_topic])
    events: list[dict[str, str]] = []
    try:
        while not events or events[-1]["type"] != until:
            message = consumer.poll(30)
            assert message is not None, events
            if not message.error():
                events.append(json.loads(message.value()))
    finally:
        consumer.close()
    return events
